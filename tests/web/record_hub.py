"""Writes tests/web/states/hub.json and hub_hostile.json: the hub data of an invented project. Run by hand."""

import copy
import json
import random
from pathlib import Path

FOLDER = Path(__file__).parent / "states"
NODES = (
    "Event_BeginPlay Event_Tick Event_ActorBeginOverlap Branch Sequence ForLoop ForEachLoop WhileLoop "
    "Delay DoOnce Gate FlipFlop PrintString VariableGet VariableSet SpawnActor DestroyActor "
    "SetActorLocation GetActorLocation AddFloat SubtractFloat MultiplyFloat GreaterThan LessThan EqualInt "
    "And Or Not Clamp Lerp RandomFloat MakeVector BreakVector MakeTransform Timeline PlaySound "
    "SetVisibility CastToBP_Guard SetTimer ClearTimer LineTrace ApplyDamage OpenLevel CreateWidget "
    "AddToViewport "
).split()
RUNS = ["20260918-221004-91ab", "20261004-231500-07cd", "20261101-224510-5e1f", "20261121-171500-3f2a"]


def estimate(value, spread):
    return {
        "value": round(value, 3),
        "ci95": [round(max(0, value - spread), 3), round(min(1, value + spread), 3)],
    }


def exam(seen, near, unseen):
    def part(value, n):
        return {"n": n, "score": estimate(value, 0.9 / n**0.5), "valid": estimate(min(1, value + 0.24), 0.03)}

    return {
        "all": part((seen + near + unseen) / 3, 180),
        "seen": part(seen, 60),
        "near": part(near, 60),
        "unseen": part(unseen, 60),
    }


def version(number, scores, loss, eval_loss, passed):
    created = RUNS[number - 1]
    iso = f"{created[:4]}-{created[4:6]}-{created[6:8]}T{created[9:11]}:{created[11:13]}:00.000Z"
    return {
        "version": f"v{number}",
        "created_at": iso,
        "run_id": created,
        "profile": "tiny",
        "train_rows": 1800 + 270 * number,
        "loss": loss,
        "eval_loss": eval_loss,
        "seconds": 231 - 4 * number,
        "exam": exam(*scores),
        "evaluation": {"passed": passed, "total": 36, "mean_score": round(passed / 36, 2)},
    }


BACKUP = {
    "label": "20261121-171826-post_train-v4",
    "created_at": "2026-11-21T17:17:26.000Z",
    "verified_at": "2026-11-21T17:17:27.000Z",
    "files": 23,
    "bytes": 25_431_040,
    "status": "warning",
    "mirror": {
        "path": "/mnt/nas/nightforge",
        "status": "missing",
        "message": "the mirror folder is not mounted",
    },
}
HEALTH = {
    "overall": "attention",
    "alerts": [
        {
            "level": "WARNING",
            "dimension": "mastery",
            "title": "MakeTransform got worse",
            "detail": "Node F1 fell from 0.74 to 0.52 since v3; 9 of 17 uses were missed.",
            "metric": "f1",
            "value": 0.52,
            "threshold": 0.6,
        },
        {
            "level": "SUGGESTION",
            "dimension": "data",
            "title": "Few examples of Timeline",
            "detail": "11 training rows use it; nodes with fewer than 30 score 0.2 lower.",
            "metric": "rows",
            "value": 11,
            "threshold": 30,
        },
        {
            "level": "INFO",
            "dimension": "training",
            "title": "Held-out loss still falling",
            "detail": "0.402 to 0.391 over the last quarter.",
            "metric": "eval_loss_slope",
            "value": -0.011,
            "threshold": 0,
        },
    ],
}
CARD = {
    "created_at": "2026-11-21T17:15:21.000Z",
    "hash": "9f31c07ab2d45e18",
    "rows": {"total": 2823, "train": 2611, "val": 212},
    "sources": [
        {
            "kind": "synthetic",
            "read": 2700,
            "train": 2340,
            "val": 212,
            "refused": {"exact_duplicate": 3, "holdout_answer": 41, "structure_cap": 104},
        },
        {"kind": "lesson", "read": 183, "train": 183, "val": 0, "refused": {}},
        {"kind": "manual", "read": 61, "train": 60, "val": 0, "refused": {"invalid": 1}},
        {"kind": "translated", "read": 19, "train": 8, "val": 0, "refused": {"opaque_nodes": 11}},
        {"kind": "reinforcement", "read": 0, "train": 20, "val": 0, "refused": {}},
    ],
    "removed": {
        "structure_cap": 104,
        "holdout_answer": 41,
        "opaque_nodes": 11,
        "exact_duplicate": 3,
        "invalid": 1,
    },
    "coverage": {
        "catalog": 214,
        "used": 205,
        "missing": [f"{verb}{noun}" for verb in ("Set", "Get", "Stop") for noun in ("Sky", "Tide", "Rail")],
        "missing_but_examined": ["SetTide"],
        "rare_below": 10,
        "rare": {"Timeline": 4, "CreateWidget": 7, "OpenLevel": 9},
    },
    "lengths": {
        "instruction_characters": {"min": 21, "median": 118, "mean": 122.4, "p95": 231, "max": 402},
        "program_characters": {"min": 120, "median": 371, "mean": 402.9, "p95": 702, "max": 1210},
        "histogram": {"step": 80, "counts": [0, 96, 310, 521, 640, 498, 331, 208, 112, 60, 31, 16]},
        "tokens": {
            "instruction": {"min": 6, "median": 31, "mean": 32.2, "p95": 60, "max": 101},
            "program": {"min": 40, "median": 131, "mean": 139.7, "p95": 240, "max": 411},
            "row": {"min": 48, "median": 163, "mean": 171.9, "p95": 298, "max": 488},
            "limit": 512,
            "over_limit": 0,
        },
        "tokenizer": "tiny",
        "tokens_missing": None,
    },
    "duplicates": {
        "exact": {"found": 3, "dropped": 3},
        "normalised": {"found": 0, "dropped": 0},
        "structural": {"found": 611, "dropped": 104},
        "contradicting": {"found": 0, "dropped": 0},
    },
    "cap": {"rows_per_structure": 20, "kinds": ["synthetic"], "structures_over": 7, "rows_dropped": 104},
    "reinforcement": {"lessons": ["lesson_01"], "copies": 1, "rows": 20},
    "leaks": {
        "checked": 2823,
        "flagged": 0,
        "sets": [
            {"id": "exam_01", "prompts": 40, "rows_kept_out": 22},
            {"id": "exam_02", "prompts": 40, "rows_kept_out": 18},
            {"id": "exam_03", "prompts": 40, "rows_kept_out": 0},
            {"id": "evaluation tests", "prompts": 12, "rows_kept_out": 1},
        ],
        "shared_structures_train_val": 0,
    },
}
NEXT_LESSONS = [
    {
        "lesson_id": "lesson_07",
        "title": "Transforms and spawning",
        "node_types": ["MakeTransform", "SpawnActor"],
        "reason": "weak",
    },
    {
        "lesson_id": "lesson_08",
        "title": "Timelines",
        "node_types": ["Timeline", "Lerp"],
        "reason": "few examples",
    },
]


def mastery_grid(draw):
    mastery = []
    for name in NODES:
        f1 = round(min(1.0, max(0.05, draw.gauss(0.82, 0.22))), 3)
        n = draw.randint(3, 60)
        failures = (
            [
                {
                    "prompt_id": f"exam_02_{k:02d}",
                    "instruction": "Every two seconds, move the platform towards the next marker.",
                    "missing": [name],
                    "reasons": [f"node {name} is missing"],
                }
                for k in range(1, 4)
            ]
            if f1 < 0.9
            else []
        )
        mastery.append(
            {
                "node_type": name,
                "n": n,
                "f1": f1,
                "ci95": [round(f1 * 0.8, 3), round(min(1, f1 * 1.1), 3)],
                "status": "mastered" if f1 >= 0.9 else "learning" if f1 >= 0.6 else "weak",
                "previous_f1": round(max(0, f1 - draw.uniform(-0.05, 0.2)), 3),
                "failures": failures,
            }
        )
    mastery += [
        {
            "node_type": name,
            "n": 0,
            "f1": None,
            "ci95": None,
            "status": "untested",
            "previous_f1": None,
            "failures": [],
        }
        for name in ("Event_EndPlay", "MultiGate", "SwitchOnInt")
    ]
    return mastery


def hub():
    versions = [
        version(1, (0.61, 0.48, 0.41), 0.61, 0.66, 19),
        version(2, (0.72, 0.6, 0.5), 0.5, 0.55, 24),
        version(3, (0.83, 0.71, 0.63), 0.43, 0.47, 28),
        version(4, (0.89, 0.79, 0.71), 0.34, 0.39, 31),
    ]
    champion = {
        "version": "v4",
        "run_id": RUNS[3],
        "unseen": estimate(0.71, 0.06),
        "valid": estimate(0.97, 0.02),
        "all": estimate(0.797, 0.04),
    }
    return {
        "schema_version": 1,
        "generated_at": "2026-11-21T17:18:43.000Z",
        "champion": champion,
        "previous": {**champion, "version": "v3", "run_id": RUNS[2], "unseen": estimate(0.63, 0.07)},
        "base": {**champion, "version": "base", "run_id": None, "unseen": estimate(0.12, 0.03)},
        "versions": versions,
        "mastery": mastery_grid(random.Random(5)),
        "dataset": {
            "rows": 2823,
            "train": 2611,
            "val": 212,
            "by_source": {"synthetic": 2580, "lesson": 183, "manual": 60},
            "node_types": 68,
            "hash": "9f31c07ab2d45e18",
        },
        "card": CARD,
        "backup": BACKUP,
        "health": HEALTH,
        "next_lessons": NEXT_LESSONS,
    }


def hostile(value):
    """Put script text into every text that is shown."""
    attack = "<img src=x onerror=window.hacked=1>"
    value = copy.deepcopy(value)
    for row in value["mastery"]:
        row["node_type"] += attack
        for failure in row["failures"]:
            failure.update(instruction=attack, prompt_id=attack, missing=[attack], reasons=[attack])
    for row in value["versions"]:
        row.update(version=attack, profile=attack)
    for row in value["health"]["alerts"]:
        row.update(title=attack, detail=attack, metric=attack, dimension=attack)
    for row in value["next_lessons"]:
        row.update(title=attack, lesson_id=attack, node_types=[attack])
    value["backup"].update(label=attack, mirror={"path": attack, "status": attack, "message": attack})
    value["champion"]["version"] = attack
    value["dataset"].update(hash=attack, by_source={attack: 4})
    card = value["card"]
    card.update(created_at=attack, hash=attack, removed={attack: 4}, duplicates={attack: {"found": attack}})
    card["sources"].append({"kind": attack, "read": attack, "train": attack, "refused": {attack: 1}})
    card["coverage"].update(missing=[attack], missing_but_examined=[attack, None], rare={attack: attack})
    card["leaks"]["sets"].append({"id": attack, "prompts": attack})
    card["lengths"]["histogram"] = {"counts": [attack, 3]}
    return value


if __name__ == "__main__":
    for name, data in {"hub": hub(), "hub_hostile": hostile(hub())}.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
