"""What flow nodes are called in English: a lead, and the words in front of the steps behind each output.

Same notation as in `phrases_steps`. In a list of wordings the words of all outputs belong together.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Flow:
    """One wording of a flow node: `lead` stands in front of all, `pins` in front of each output's steps.

    `alone` replaces the words of an output where it is the only one with steps.
    """

    pins: dict[str, str]
    lead: str = ""
    alone: dict[str, str] = field(default_factory=dict)


FLOWS: dict[str, tuple[Flow, ...]] = {
    "Branch": (
        Flow({"True": "if {Condition!c}", "False": "otherwise"}, alone={"False": "unless {Condition!c}"}),
        Flow(
            {"True": "if {Condition!c}", "False": "else"},
            alone={"False": "if it is not the case that {Condition!c}"},
        ),
        Flow({"True": "when {Condition!c}", "False": "if not"}, alone={"False": "unless {Condition!c}"}),
        Flow({"True": "if so", "False": "if not"}, lead="check whether {Condition!c}"),
    ),
    "Sequence": (
        Flow({"Then_#": "{nth}"}, lead="in a sequence"),
        Flow({"Then_#": "{nth}"}, lead="run a sequence"),
        Flow({"Then_#": "{nth}"}, lead="use a sequence node"),
    ),
    "MultiGate": (
        Flow(
            {"Out_#": "{nth}"},
            lead="go through a[ {bLoop?looping|non-looping}][ {bIsRandom?random|non-random}] multi gate",
        ),
        Flow(
            {"Out_#": "the {nth} time"},
            lead="use a[ {bLoop?looping|non-looping}][ {bIsRandom?random|non-random}] multi gate",
        ),
    ),
    "DoOnce": (
        Flow({"Completed": "only once[, with start closed set to {bStartClosed}]"}),
        Flow({"Completed": "do once[ (start closed: {bStartClosed})]"}),
        Flow({"Completed": "only the first time[, with start closed set to {bStartClosed}]"}),
    ),
    "DoN": (
        Flow({"Exit": "up to {N} times"}),
        Flow({"Exit": "at most {N} times"}),
        Flow({"Exit": "only the first {N} times"}),
    ),
    "FlipFlop": (
        Flow(
            {"A": "the first time", "B": "the second time"},
            lead="use a flip flop",
        ),
        Flow({"A": "on A", "B": "on B"}, lead="alternate with a flip flop"),
    ),
    "Gate": (
        Flow({"Exit": "go through a gate[ that starts {bStartClosed?closed|open}] and"}),
        Flow({"Exit": "enter a gate[ that starts {bStartClosed?closed|open}]; if it lets through"}),
    ),
    "ForLoop": (
        Flow(
            {
                "LoopBody": "for every index from {FirstIndex} to {LastIndex}",
                "Completed": "when the loop is done",
            }
        ),
        Flow(
            {"LoopBody": "loop from {FirstIndex} to {LastIndex} and each time", "Completed": "after the loop"}
        ),
        Flow(
            {
                "LoopBody": "count from {FirstIndex} to {LastIndex} and every time",
                "Completed": "once the loop has finished",
            }
        ),
    ),
    "ForEachLoop": (
        Flow({"LoopBody": "for each element of {Array}", "Completed": "when the loop is done"}),
        Flow({"LoopBody": "loop over {Array} and each time", "Completed": "after the loop"}),
        Flow({"LoopBody": "go through {Array} and for each element", "Completed": "once all are done"}),
    ),
    "WhileLoop": (
        Flow({"LoopBody": "while {Condition!c}", "Completed": "when the loop is done"}),
        Flow({"LoopBody": "as long as {Condition!c}", "Completed": "after the loop"}),
    ),
    "SwitchOnInt": (
        Flow({"Case_#": "for {case}", "Default": "by default"}, lead="switch on {Selection}"),
        Flow(
            {"Case_#": "in case {case}", "Default": "in any other case"},
            lead="switch on the integer {Selection}",
        ),
    ),
    "SwitchOnString": (
        Flow({"Case_*": "for {case}", "Default": "by default"}, lead="switch on {Selection}"),
        Flow(
            {"Case_*": "in case {case}", "Default": "in any other case"},
            lead="switch on the text {Selection}",
        ),
    ),
    "IsValidBranch": (
        Flow({"Valid": "if valid", "NotValid": "if not valid"}, lead="validate {Object}"),
        Flow({"Valid": "if it is valid", "NotValid": "if it is not"}, lead="check the object {Object}"),
    ),
    "ForLoopWithBreak": (
        Flow(
            {
                "LoopBody": "for every index from {FirstIndex} to {LastIndex} (loop with break)",
                "Completed": "when the loop is done",
            }
        ),
        Flow(
            {
                "LoopBody": "loop with break from {FirstIndex} to {LastIndex} and each time",
                "Completed": "after the loop",
            }
        ),
    ),
    "ForEachLoopWithBreak": (
        Flow(
            {
                "LoopBody": "for each element of {Array} (loop with break)",
                "Completed": "when the loop is done",
            }
        ),
        Flow({"LoopBody": "loop with break over {Array} and each time", "Completed": "after the loop"}),
    ),
    "ReverseForEachLoop": (
        Flow(
            {"LoopBody": "for each element of {Array} in reverse order", "Completed": "when the loop is done"}
        ),
        Flow({"LoopBody": "loop backwards over {Array} and each time", "Completed": "after the loop"}),
    ),
    "SwitchOnName": (
        Flow({"Case_*": "for {case}", "Default": "by default"}, lead="switch on the name {Selection}"),
    ),
    "SwitchOnEnum": (
        Flow({"Case_*": "for {case}"}, lead="switch on the {Enum} value {Selection}"),
        Flow({"Case_*": "in case {case}"}, lead="switch on the enum {Enum} by {Selection}"),
    ),
    "Timeline": (
        Flow(
            {"Update": "on every update", "Finished": "when it has finished"},
            lead="play the timeline {TimelineName} with {tracks}[ and the new time {NewTime}]",
        ),
    ),
    "AIMoveTo": (
        Flow(
            {"OnSuccess": "on success", "OnFail": "on failure"},
            lead="let the AI move {Pawn} to[ {Destination}][ or to the actor"
            " {TargetActor}][ with an acceptance radius of {AcceptanceRadius}]",
        ),
    ),
    "GetDataTableRow": (
        Flow(
            {"RowFound": "if the row is found", "RowNotFound": "if the row is not found"},
            lead="get the row {RowName} of the data table {DataTable}",
        ),
    ),
}
CAST = (
    Flow(
        {"CastSucceeded": "cast {Object} to {class} and on success", "CastFailed": "if the cast fails"},
        alone={"CastFailed": "cast {Object} to {class} and on failure"},
    ),
    Flow(
        {"CastSucceeded": "if it works", "CastFailed": "if it fails"}, lead="try to cast {Object} to {class}"
    ),
)
ORDINALS = ("first", "second", "third", "fourth", "fifth")
JUMPS = {
    ("Gate", "Open"): ("open the gate",),
    ("Gate", "Close"): ("close the gate",),
    ("Gate", "Toggle"): ("toggle the gate",),
    ("DoOnce", "Reset"): ("reset the do once",),
    ("DoN", "Reset"): ("reset the do n",),
    ("MultiGate", "Reset"): ("reset the multi gate",),
    ("ForLoopWithBreak", "Break"): ("break the loop", "break out of the loop"),
    ("ForEachLoopWithBreak", "Break"): ("break the loop", "break out of the loop"),
    ("Timeline", "PlayFromStart"): ("play the timeline from the start",),
    ("Timeline", "Stop"): ("stop the timeline",),
    ("Timeline", "Reverse"): ("reverse the timeline",),
    ("Timeline", "ReverseFromEnd"): ("reverse the timeline from its end",),
    ("Timeline", "SetNewTime"): ("set the new time of the timeline",),
}
