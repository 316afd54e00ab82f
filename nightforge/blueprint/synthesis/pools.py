"""Words, names and numbers the generator draws from.

The pools are moderate on purpose: copying a name from the instruction into the program must be learnable by a
model of three million parameters, so every word is met hundreds of times, in thousands of combinations.
"""

from __future__ import annotations

TEXT_SUBJECTS = (
    "door", "gate", "lamp", "key", "coin", "bridge", "engine", "shield", "target", "player",
    "enemy", "trap", "chest", "torch", "wave", "alarm", "pump", "lever", "portal", "crystal",
    "guard", "score", "timer", "signal", "water", "fire", "power", "round", "rocket", "ladder",
)  # fmt: skip
TEXT_STATES = (
    "open", "closed", "ready", "lost", "found", "active", "empty", "full", "broken", "safe",
    "locked", "done", "started", "stopped", "low", "high", "gone", "hit", "armed", "charged",
    "taken", "near", "cold", "hot",
)  # fmt: skip
TEXT_ALONE = (
    "hello", "welcome", "goodbye", "warning", "danger", "success", "failed", "tick", "tock",
    "game over", "try again", "well done", "wait", "go", "stop", "next", "first", "last", "yes",
    "no", "too far", "too close", "not yet", "bye",
)  # fmt: skip

FLOAT_NAMES = (
    "Speed", "Health", "Fuel", "Energy", "Height", "Damage", "Range", "Charge", "Heat", "Stamina",
    "Armor", "Mana", "Pressure", "Angle", "Distance", "Oxygen",
)  # fmt: skip
INT_NAMES = (
    "Score", "Coins", "Lives", "Level", "Ammo", "Keys", "Wave", "Count", "Steps", "Gems", "Hits",
    "Stars",
)  # fmt: skip
BOOL_NAMES = (
    "IsOpen", "IsLit", "IsLocked", "HasKey", "IsActive", "IsReady", "IsAlive", "CanJump",
    "IsArmed", "IsHot", "HasPower", "IsOn",
)  # fmt: skip
STRING_NAMES = ("Message", "PlayerName", "Label", "Title", "Hint", "Status")
VECTOR_NAMES = ("Home", "StartPoint", "Goal", "Offset", "SpawnPoint", "Anchor")
ROTATOR_NAMES = ("Facing", "Tilt", "Aim", "Turn")
ACTOR_NAMES = ("Target", "Hunter", "Leader", "Rival", "Partner", "Pet")
LIGHT_NAMES = ("Light", "Glow", "Beam", "Lamp")
MESH_NAMES = ("Mesh", "Body", "Lid", "Wheel")
ACTOR_LISTS = ("Guards", "Doors", "Crates", "Team")
TEXT_LISTS = ("Names", "Hints", "Lines")
INT_LISTS = ("Numbers", "Scores", "Codes")
WIDGET_NAMES = ("Menu", "Panel", "Banner", "Popup")

BLUEPRINT_WORDS = (
    "Lantern", "Door", "Coin", "Turret", "Lift", "Fan", "Trap", "Chest", "Rocket", "Beacon",
    "Pump", "Bridge", "Portal", "Drone", "Statue", "Switch", "Crate", "Fountain", "Crystal",
    "Alarm",
)  # fmt: skip
EVENT_NAMES = (
    "Refill", "Explode", "Unlock", "Reset", "Heal", "Blink", "Reload", "Launch", "Repair",
    "Charge", "OpenDoor", "CloseDoor", "Respawn", "Alert", "Cooldown", "Collect",
)  # fmt: skip
ACTION_NAMES = ("Jump", "Fire", "Interact", "Sprint", "Crouch", "Reload", "Dash", "Use", "Throw", "Pause")
AXIS_NAMES = ("MoveForward", "MoveRight", "Turn", "LookUp")
KEY_NAMES = ("E", "F", "Q", "R", "T", "G", "SpaceBar", "Tab")
CLASS_NAMES = ("BP_Enemy", "BP_Coin", "BP_Rocket", "BP_Smoke", "BP_Ball", "BP_Crate", "BP_Spark", "BP_Guard")
WIDGET_CLASSES = ("WBP_Menu", "WBP_Score", "WBP_Hint", "WBP_Map", "WBP_Pause", "WBP_Health")
SOUND_NAMES = ("S_Click", "S_Alarm", "S_Boom", "S_Chime", "S_Door", "S_Coin", "S_Wind", "S_Beep")
LEVEL_NAMES = ("Menu", "Forest", "Arena", "Castle", "Harbor", "Desert")
TAGS = ("Player", "Enemy", "Friend", "Ball", "Key", "Boss")

SMALL_INTS = (1, 2, 3, 4, 5, 6, 8, 10)
LARGE_INTS = (12, 15, 20, 25, 30, 40, 50, 75, 100)
SECONDS = (0.2, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0)
AMOUNTS = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 75.0, 80.0, 100.0)
LENGTHS = (50.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 800.0)
ANGLES = (5.0, 10.0, 15.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0)
