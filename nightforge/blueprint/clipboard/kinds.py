"""Which objects are nodes of a Blueprint (K2) graph, and what the others are, in words."""

from __future__ import annotations

from nightforge.blueprint.clipboard.conversions import is_wire_conversion
from nightforge.blueprint.clipboard.errors import ClipboardError
from nightforge.blueprint.clipboard.objects import COMMENT_CLASS, KNOT_CLASS, RawObject

# beginning of the class name or module -> what such a graph is called in the editor
_FOREIGN = (
    (("RigVM", "ControlRig"), "a Control Rig (RigVM) graph"),
    (("MaterialGraphNode", "MaterialExpression"), "a Material graph"),
    (("Niagara",), "a Niagara graph"),
    (("PCG",), "a PCG graph"),
    (("SoundCueGraph", "SoundNode"), "a Sound Cue graph"),
    (("Metasound", "MetaSound"), "a MetaSound graph"),
    (("BehaviorTree", "BTGraph", "BTTask", "BTComposite"), "a Behavior Tree"),
    (("EnvironmentQuery", "EnvQuery"), "an environment query graph"),
    (("StateTree",), "a State Tree"),
    (("DataflowEdNode", "Dataflow"), "a Dataflow graph"),
    (("CustomizableObjectNode",), "a Mutable graph"),
    (("ConversationGraph",), "a conversation graph"),
    (("MovieGraph", "MoviePipeline"), "a Movie Render graph"),
)
_K2_CLASSES = ("K2Node_", "AnimGraphNode_", "AnimState")  # animation Blueprints are Blueprints
_OLD_PIN = "EdGraphPin"


def is_node(block: RawObject) -> bool:
    """Say whether an object is a K2 node: by its class, or for classes of plugins by its pins."""
    return block.class_name.startswith(_K2_CLASSES) or bool(block.pins)


def is_comment(block: RawObject) -> bool:
    """Say whether an object is a comment box."""
    return block.class_name == COMMENT_CLASS


def is_routing(block: RawObject) -> bool:
    """Say whether a node only passes a wire on and is no node of the program."""
    return block.class_name == KNOT_CLASS or is_wire_conversion(block)


def is_graph(block: RawObject) -> bool:
    """Say whether a nested object is a graph with nodes of its own, as collapsed nodes have."""
    return block.class_name.endswith("Graph") and any(is_node(c) or is_comment(c) for c in block.children)


def refuse_foreign(blocks: list[RawObject]) -> None:
    """Raise ClipboardError naming the first class that belongs to no Blueprint graph."""
    for block in blocks:
        if is_comment(block) and block.module not in ("RigVMDeveloper",):
            continue
        if any(child.class_name == _OLD_PIN for child in block.children):
            message = (
                f"{block.name} has its pins as objects, as editors before 4.15 did; copy from a newer one"
            )
            raise ClipboardError("CLIP106", message, block.line)
        what = _foreign(block)
        if what is not None:
            message = f"{block.name} is a {block.class_path}: this is {what}, not a Blueprint (K2) graph"
            raise ClipboardError("CLIP106", message, block.line)


def _foreign(block: RawObject) -> str | None:
    if block.class_name.startswith(_K2_CLASSES):
        return None
    for beginnings, what in _FOREIGN:
        if block.class_name.startswith(beginnings) or block.module.startswith(beginnings):
            return what
    return None if block.pins else "an object without pins"
