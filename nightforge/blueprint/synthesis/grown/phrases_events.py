"""What events are called in English: templates by node type; `{pin}` is the exec output that runs.

Same notation as in `phrases_steps`.
"""

from __future__ import annotations

EVENTS: dict[str, tuple[str, ...]] = {
    "Event_BeginPlay": (
        "when the game starts",
        "on begin play",
        "when play begins",
        "at the start",
        "as soon as play begins",
    ),
    "Event_Tick": ("every frame", "on every tick", "on tick", "each frame"),
    "Event_EndPlay": ("when play ends", "on end play", "when the actor leaves the level"),
    "Event_ActorBeginOverlap": (
        "when another actor begins to overlap this one",
        "on begin overlap",
        "when something overlaps the actor",
        "when an actor starts overlapping",
    ),
    "Event_ActorEndOverlap": (
        "when another actor stops overlapping this one",
        "on end overlap",
        "when the overlap ends",
    ),
    "Event_AnyDamage": ("when the actor takes damage", "on any damage", "whenever damage is taken"),
    "Event_Hit": ("when the actor hits something", "on hit", "when something is hit"),
    "Event_InputAction": (
        "when the {ActionName} action is {pin}",
        "on the {ActionName} action {pin}",
        "when the player has {pin} the {ActionName} action",
    ),
    "Event_InputKey": ("when the {Key} key is {pin}", "on key {Key} {pin}", "when {Key} is {pin}"),
    "Event_CustomEvent": (
        "when the event {EventName} is called",
        "on the custom event {EventName}",
        "in the event {EventName}",
        "whenever {EventName} is called",
    ),
    "Event_Destroyed": ("when the actor is destroyed", "on destroyed"),
    "Event_ActorBeginCursorOver": ("when the mouse cursor moves over the actor", "on begin cursor over"),
    "Event_ActorOnClicked": ("when the actor is clicked", "on actor clicked"),
    "Event_OnLanded": ("when the character lands", "on landed"),
    "Event_WidgetConstruct": ("when the widget is constructed", "on widget construct"),
    "Event_WidgetTick": ("on every tick of the widget", "every widget tick"),
    "Event_InputAxis": ("on the input axis {AxisName}", "every time the input axis {AxisName} is read"),
    "Event_InputAxisKey": ("on the axis key {Key}", "every time the axis key {Key} is read"),
    "Event_EnhancedInputAction": (
        "when the enhanced input action {ActionAsset} is {pin}",
        "on the enhanced input action {ActionAsset} {pin}",
    ),
    "Event_InputDebugKey": ("when the debug key {Key} is {pin}", "on debug key {Key} {pin}"),
    "Event_ComponentBeginOverlap": (
        "when something begins to overlap the component {ComponentName}",
        "on component begin overlap of {ComponentName}",
    ),
    "Event_ComponentEndOverlap": (
        "when something stops overlapping the component {ComponentName}",
        "on component end overlap of {ComponentName}",
    ),
    "Event_ComponentHit": (
        "when the component {ComponentName} hits something",
        "on component hit of {ComponentName}",
    ),
    "Event_ButtonClicked": (
        "when the button {ComponentName} is clicked",
        "on a click of the button {ComponentName}",
    ),
    "Event_ComponentEvent": (
        "when {ComponentName} calls its dispatcher {DispatcherName}",
        "on the event {DispatcherName} of the component {ComponentName}",
    ),
}
