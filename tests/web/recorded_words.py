"""What the recorded states of the page tests say."""

SECONDS = {
    "03": 7,
    "13": 1,
    "20": 4,
    "06": 3,
    "08": 1,
    "00": 9,
    "16-pre": 2,
    "04": 110,
    "16-post": 2,
    "12": 48,
    "09": 12,
    "19": 2,
    "13-next": 1,
    "16-exam": 1,
    "14": 1,
}

MESSAGES = {
    "03": "3,000 rows, 2,941 structures",
    "13": "120 rows from 6 lessons",
    "20": "2,611 train, 212 val; no exam answer leaked",
    "06": "2,823 programs valid",
    "08": "compact prompt, 412 tokens",
    "00": "3.3 M parameters, from the cache",
    "16-pre": "14 files, 21 MB, verified",
    "04": "held-out loss 0.391",
    "16-post": "9 files, 4 MB, verified",
    "12": "180 answers, 97 % valid",
    "09": "31 of 36 passed",
    "19": "no critical alert",
    "13-next": "3 lessons for 5 weak nodes",
    "16-exam": "5 files, 1 MB, verified",
    "14": "report written",
}

PROMPTS = [
    ("When the player overlaps the trigger, open the door with a timeline.", True, 0.93, []),
    ("Every second, regain 5 health while it is under 100.", True, 0.71, ["Clamp"]),
    ("On begin play, spawn three lanterns along the path.", True, 0.58, ["ForLoop", "MakeTransform"]),
    ("If the key item is held, unlock the gate, else show a hint.", True, 1.0, []),
    ("Cast the overlapping actor to BP_Guard and alert it.", False, 0.0, ["CastToBP_Guard", "CallFunction"]),
    ("Toggle the flashlight when F is pressed.", True, 1.0, []),
    ("Play a sound and shake the camera when damage is taken.", True, 0.84, []),
    ("Move the platform between two points forever.", True, 0.66, ["Lerp"]),
]

PROGRAM = """BLUEPRINT BP_Lantern : Actor
GRAPH EventGraph
NODE n1: Event_BeginPlay
NODE n2: VariableGet [VarName="Fuel"]
NODE n3: GreaterThan [B=5.0]
NODE n4: Branch
NODE n5: PrintString [InString="lantern lit"]
NODE n6: SetVisibility [bNewVisibility=false]
EXEC n1.Then -> n4.Execute
EXEC n4.True -> n5.Execute
EXEC n4.False -> n6.Execute
DATA n2.Value -> n3.A [Float]
DATA n3.ReturnValue -> n4.Condition [Bool]
"""
