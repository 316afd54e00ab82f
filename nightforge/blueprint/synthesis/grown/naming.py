"""Names, texts and numbers: half of them from lists, half invented, so that models learn to copy.

An invented name is pronounceable or joins two words; no list of them exists, so none can be learnt by heart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from nightforge.blueprint.graph import Struct, Value

T = TypeVar("T")
ONSETS = ("b", "br", "c", "cl", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p",
          "pr",
          "qu", "r", "s", "sk", "st", "t", "tr", "v", "w", "z", "sh", "th")  # fmt: skip
VOWELS = ("a", "e", "i", "o", "u", "a", "e", "o", "ai", "ou", "ee")
CODAS = ("", "", "", "l", "n", "r", "s", "x", "m", "rn", "st", "k", "lt", "nd", "th")

ADJECTIVES = (
    "Amber", "Ancient", "Back", "Base", "Big", "Blue", "Bonus", "Broken", "Calm", "Cargo", "Center", "Cold",
    "Copper", "Current", "Dark", "Deep", "Desert", "Double", "East", "Empty", "Enemy", "Extra", "Fast",
    "Final", "First", "Forest", "Front", "Frozen", "Ghost", "Giant", "Glass", "Golden", "Green", "Hidden",
    "High", "Home", "Hot", "Inner", "Iron", "Jungle", "Last", "Left", "Light", "Long", "Lower", "Lucky",
    "Lunar", "Magic", "Main", "Max", "Metal", "Mini", "Moon", "Mystic", "Near", "New", "Night", "North",
    "Ocean", "Old", "Outer", "Player", "Quick", "Rapid", "Red", "Right", "River", "Royal", "Rusty", "Sand",
    "Secret", "Shadow", "Short", "Silent", "Silver", "Slow", "Small", "Solar", "South", "Spare", "Start",
    "Steam", "Steel", "Stone", "Storm", "Summer", "Target", "Temple", "Tiny", "Top", "Total", "Turbo",
    "Upper", "Velvet", "Village", "West", "Wide", "Wild", "Winter", "Wooden",
)  # fmt: skip
THINGS = (
    "Anchor", "Arrow", "Badge", "Banner", "Barrel", "Beacon", "Bell", "Boat", "Bomb", "Boots", "Bottle",
    "Bridge", "Bucket", "Button", "Cabin", "Camera", "Candle", "Cannon", "Cart", "Castle", "Chest", "Clock",
    "Coin", "Crane", "Crate", "Crown", "Crystal", "Dial", "Door", "Dragon", "Drone", "Drum", "Elevator",
    "Engine", "Falcon", "Fan", "Fence", "Flag", "Flame", "Flower", "Fountain", "Furnace", "Gate", "Gear",
    "Gem", "Generator", "Goblin", "Guard", "Hammer", "Harbor", "Hatch", "Helmet", "Horn", "Hut", "Jar",
    "Kettle", "Key", "Knight", "Ladder", "Lamp", "Lantern", "Laser", "Lever", "Lift", "Magnet", "Map",
    "Marker", "Mirror", "Orb", "Panel", "Piston", "Platform", "Portal", "Potion", "Pump", "Raft", "Relic",
    "Robot", "Rocket", "Rope", "Scroll", "Sensor", "Shield", "Shrine", "Sign", "Statue", "Switch", "Sword",
    "Tank", "Tower", "Train", "Trap", "Trophy", "Tunnel", "Turret", "Valve", "Vault", "Wagon", "Wheel",
    "Windmill", "Wizard", "Wolf",
)  # fmt: skip
MEASURES = {
    "Float": ("Speed", "Health", "Fuel", "Energy", "Height", "Damage", "Range", "Charge", "Heat", "Stamina",
              "Armor", "Mana", "Pressure", "Angle", "Distance", "Oxygen", "Strength", "Weight", "Power",
              "Radius", "Timer", "Rate", "Delay", "Volume", "Progress", "Alpha", "Rage", "Shield"),
    "Int": ("Score", "Coins", "Lives", "Level", "Ammo", "Keys", "Wave", "Count", "Steps", "Gems", "Hits",
            "Stars", "Kills", "Tickets", "Floor", "Round", "Rank", "Points", "Index", "Slots", "Arrows"),
    "Bool": ("Open", "Lit", "Locked", "Active", "Ready", "Alive", "Armed", "Hot", "Visible", "Busy", "Broken",
             "Charged", "Awake", "Empty", "Paused", "Done"),
    "String": ("Message", "PlayerName", "Label", "Title", "Hint", "Status", "Password", "Greeting",
               "Caption"),
    "Name": ("Tag", "SocketName", "RowName", "SlotName", "BoneName", "TeamTag"),
    "Text": ("Headline", "Tooltip", "Description", "Subtitle"),
    "Vector": ("Home", "StartPoint", "Goal", "Offset", "SpawnPoint", "Anchor", "Waypoint", "Origin", "Push"),
    "Rotator": ("Facing", "Tilt", "Aim", "Turn", "StartRotation"),
    "Transform": ("SpawnTransform", "StartPose", "Checkpoint"),
    "Actor": ("Target", "Hunter", "Leader", "Rival", "Partner", "Pet", "Boss", "Guest", "Victim"),
}  # fmt: skip
EVENT_VERBS = ("Open", "Close", "Refill", "Explode", "Unlock", "Reset", "Heal", "Blink", "Reload", "Launch",
               "Repair", "Charge", "Respawn", "Alert", "Collect", "Activate", "Start", "Stop", "Update",
               "Drop",
               "Raise", "Lower", "Spin", "Freeze", "Wake", "Hide", "Reveal", "Boost", "Drain",
               "Toggle")  # fmt: skip
FUNCTION_VERBS = (
    "Compute",
    "Update",
    "Apply",
    "Check",
    "Get",
    "Build",
    "Prepare",
    "Handle",
    "Refresh",
    "Measure",
)
ACTIONS = ("Jump", "Fire", "Interact", "Sprint", "Crouch", "Reload", "Dash", "Use", "Throw", "Pause", "Aim",
           "Zoom", "Swap", "Block", "Roll")  # fmt: skip
AXES = ("MoveForward", "MoveRight", "Turn", "LookUp", "Throttle", "Steer", "Lean")
KEYS = (
    "E",
    "F",
    "Q",
    "R",
    "T",
    "G",
    "H",
    "P",
    "SpaceBar",
    "Tab",
    "Enter",
    "LeftShift",
    "One",
    "Two",
    "Up",
    "Down",
)
SUBJECTS = ("door", "gate", "lamp", "key", "coin", "bridge", "engine", "shield", "target", "player", "enemy",
            "trap", "chest", "torch", "wave", "alarm", "pump", "lever", "portal", "crystal", "guard", "score",
            "timer", "signal", "water", "fire", "power", "round", "rocket", "ladder", "path", "boss", "level",
            "battery", "train", "ghost", "tower", "market", "storm", "ritual")  # fmt: skip
STATES = ("open", "closed", "ready", "lost", "found", "active", "empty", "full", "broken", "safe", "locked",
          "done", "started", "stopped", "low", "high", "gone", "hit", "armed", "charged", "taken", "near",
          "cold", "hot", "sealed", "awake", "repaired", "unlocked", "in danger", "almost ready")  # fmt: skip
ALONE = ("hello", "welcome", "goodbye", "warning", "danger", "success", "failed", "tick", "game over",
         "try again",
         "well done", "wait", "go", "stop", "next", "too far", "too close", "not yet", "Access denied",
         "Level up!", "Ouch!", "Checkpoint reached", "Nothing happens.", "Who goes there?")  # fmt: skip
WORDS = ("red", "blue", "green", "easy", "hard", "walk", "run", "open", "closed", "north", "south",
         "idle", "attack",
         "gold", "silver", "day", "night")  # fmt: skip

SECONDS = (0.2, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0)
SHARES = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0)
FACTORS = (0.5, 0.75, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
ANGLES = (5.0, 10.0, 15.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, -45.0, -90.0)
LENGTHS = (50.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 600.0, 800.0, 1000.0)
AMOUNTS = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 75.0, 80.0, 100.0)
COUNTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 50, 100)
_RANGES = (  # words of a pin -> listed numbers, and low, high and decimals of invented ones
    (("duration", "delay", "seconds", "lifespan", "time", "rate", "interval", "fade"), SECONDS, (0.1,
      60.0, 2)),
    (("alpha", "volume", "opacity", "percent", "chance", "weight"), SHARES, (0.05, 1.0, 2)),
    (("scale", "multiplier", "dilation", "pitch multiplier", "speed scale", "factor"), FACTORS, (0.1,
      5.0, 2)),
    (("yaw", "roll", "pitch", "angle", "degrees", "rotation"), ANGLES, (-180.0, 180.0, 1)),
    (("distance", "radius", "location", "offset", "force", "impulse", "speed", "strength", "velocity",
      "intensity",
      "length", "height"), LENGTHS, (10.0, 3000.0, 1)),
)  # fmt: skip


class Names:
    """Draws names, texts and numbers for one program; no name is given twice."""

    def __init__(self, rng: Random, invented: float) -> None:
        """Keep the random source and the odds of something invented, 0 to 1."""
        self.rng, self.invented = rng, invented
        self.used: set[str] = set()

    def pick(self, items: Sequence[T]) -> T:
        """Return one item, each as likely as the others."""
        return items[int(self.rng.random() * len(items))]

    def chance(self, odds: float) -> bool:
        """Return True as often as `odds` says."""
        return self.rng.random() < odds

    def word(self) -> str:
        """Return an invented, pronounceable word with a capital letter."""
        count = 2 if self.chance(0.75) else 3
        syllables = [self.pick(ONSETS) + self.pick(VOWELS) for _ in range(count)]
        return ("".join(syllables) + self.pick(CODAS)).capitalize()

    def thing(self) -> str:
        """Return the name of a thing: a word, two joined, or invented."""
        if self.chance(self.invented):
            return self.pick(
                (self.word(), self.pick(ADJECTIVES) + self.word(), self.word() + self.pick(THINGS))
            )
        return self.pick(THINGS) if self.chance(0.6) else self.pick(ADJECTIVES) + self.pick(THINGS)

    def variable(self, type_: str, stems: Sequence[str]) -> str:
        """Return a variable name that suits its type; now and then with underscores or blanks."""
        for _ in range(20):
            name = self._variable(type_, stems)
            if name not in self.used:
                break
        return self._take(name)

    def _variable(self, type_: str, stems: Sequence[str]) -> str:
        stem = self.pick(stems)
        invented = self.chance(self.invented)
        front = self.word() if invented else self.pick(ADJECTIVES)
        if type_ == "Bool":
            if invented:
                return self.pick((f"Is{front}", f"b{front}", f"Has{front}", f"b{front}{stem}"))
            return self.pick((f"Is{stem}", f"Is{stem}", f"b{stem}", f"Is{self.pick(THINGS)}{stem}"))
        if not invented and self.chance(0.6 if len(stems) > 1 else 0.1):
            return stem
        style = self.rng.random()
        if style < 0.06:
            return f"{front}_{stem}"
        if style < 0.1:
            return f"{front} {stem}"
        if invented and style < 0.4:
            return front
        return front + stem

    def parameter(self, type_: str, stems: Sequence[str]) -> str:
        """Return the name of a user pin: always an identifier."""
        return self.variable(type_, stems).replace(" ", "")

    def event(self) -> str:
        """Return the name of a custom event."""
        return self._distinct(lambda: self.pick(EVENT_VERBS) + ("" if self.chance(0.3) else self.thing()))

    def function(self) -> str:
        """Return the name of a function."""
        return self._distinct(lambda: self.pick(FUNCTION_VERBS) + self.thing())

    def prefixed(self, prefix: str) -> str:
        """Return the name of an asset or a class: `S_RustyBell`, `BP_Torvel`."""
        return self._distinct(lambda: f"{prefix}{self.thing()}")

    def blueprint(self, prefix: str) -> str:
        """Return the name of the program itself."""
        return self._distinct(lambda: f"{prefix}_{self.thing()}")

    def one_of(self, listed: Sequence[str]) -> str:
        """Return a listed name or an invented one."""
        return self.thing() if self.chance(self.invented * 0.6) else self.pick(listed)

    def text(self) -> str:
        """Return a message of one to a few words."""
        if self.chance(self.invented):
            first, subject, state = self.word(), self.pick(SUBJECTS), self.pick(STATES)
            return self.pick((
                f"{first} {state}", f"{subject} {self.whole(3, 999)} {state}", f"The {subject} of {first}",
                f"{first}: {subject} {state}", f"{first} is {state}!", f"{subject} {first.lower()}",
            ))  # fmt: skip
        if self.chance(0.3):
            return self.pick(ALONE)
        return f"{self.pick(SUBJECTS)} {self.pick(STATES)}"

    def whole(self, low: int, high: int) -> int:
        """Return an integer from low to high, both included."""
        return low + int(self.rng.random() * (high - low + 1))

    def count(self) -> int:
        """Return a small positive integer."""
        return self.whole(2, 400) if self.chance(self.invented * 0.5) else self.pick(COUNTS)

    def number(self, meaning: str) -> float:
        """Return a float for a pin or variable whose name, in words, says what it measures."""
        listed: Sequence[float] = AMOUNTS
        span = (0.1, 500.0, 1)
        for keys, numbers, bounds in _RANGES:
            if any(key in meaning for key in keys):
                listed, span = numbers, bounds
                break
        if self.chance(self.invented * 0.5):
            low, high, decimals = span
            return round(low + self.rng.random() * (high - low), self.pick((decimals, 1, 0))) or listed[0]
        return self.pick(listed)

    def struct(self, fields: Sequence[str], meaning: str) -> Struct:
        """Return a structured literal of numbers: mostly one field that is not zero."""
        if "scale" in meaning:
            value = self.number("scale")
            return Struct(tuple((name, value) for name in fields))
        if "R" in fields and "A" in fields:  # a colour
            return Struct(
                tuple((name, 1.0 if name == "A" else self.pick((0.0, 1.0, *SHARES))) for name in fields)
            )
        count = 1 if self.chance(0.6) else len(fields)
        start = int(self.rng.random() * len(fields))
        chosen = [fields[(start + step) % len(fields)] for step in range(count)]
        kind = "angle" if "Yaw" in fields else "length"
        sign = -1.0 if kind == "length" and self.chance(0.15) else 1.0
        return Struct(tuple((name, sign * self.number(kind) if name in chosen else 0.0) for name in fields))

    def _distinct(self, draw: Callable[[], str]) -> str:
        for _ in range(20):
            name = draw()
            if name not in self.used:
                break
        return self._take(name)

    def _take(self, name: str) -> str:
        while name in self.used:
            name += self.pick(("Two", "Alt", "Next", "Extra"))
        self.used.add(name)
        return name


def say(value: Value) -> str:
    """Write a value as a person does: 30 for 30.0, (0, 0, 50) for a struct, a text in quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Struct):
        return "(" + ", ".join(say(item) for _, item in value.fields) + ")"
    return f'"{value}"'
