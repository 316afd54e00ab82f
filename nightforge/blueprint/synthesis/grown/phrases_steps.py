"""What steps are called in English: templates by node type, the first one the usual one.

`{Pin}` is replaced by what fills the input, `{Pin's}` by its possessive, `{Pin!c}` by a condition,
`{Pin!n}` by its opposite, `{Pin!b}` by a name without quotes, `{Pin!s}` by a time in seconds,
`{Pin?on|off}` by one of two words for a literal Bool; a part in `[...]` is left out where its inputs keep
their defaults. An open Target is the blueprint itself. A template serves where all its inputs are filled;
inputs it does not mention are said behind it. Node types without a template get one from `derive`.
"""

from __future__ import annotations

STEPS: dict[str, tuple[str, ...]] = {
    "Delay": (
        "wait {Duration!s}",
        "wait for {Duration!s}",
        "pause for {Duration!s}",
        "hold on for {Duration!s}",
    ),
    "RetriggerableDelay": (
        "wait {Duration!s} with a retriggerable delay",
        "start a retriggerable delay of {Duration!s}",
    ),
    "CallEvent": ("call the event {EventName}", "call {EventName}", "trigger the custom event {EventName}"),
    "CallFunction": (
        "call {FunctionName}",
        "call the function {FunctionName}",
        "run the function {FunctionName}",
    ),
    "CallMacro": ("run the macro {MacroName}", "go through the macro {MacroName}"),
    "SetVar": (
        "set {VarName} to {Value}",
        "store {Value} in {VarName}",
        "change {VarName} to {Value}",
        "assign {Value} to {VarName}",
        "make {VarName} equal to {Value}",
    ),
    "IncrementInt": (
        "increment {Value}",
        "increment {Value} in place",
        "count {Value} up with an increment node",
    ),
    "DecrementInt": (
        "decrement {Value}",
        "decrement {Value} in place",
        "count {Value} down with a decrement node",
    ),
    "PrintString": (
        "print {InString}",
        "print {InString} on the screen",
        "show the message {InString}",
        "display {InString}",
        "write {InString} to the screen",
    ),
    "DestroyActor": ("destroy {Target}", "remove {Target} from the level", "get rid of {Target}"),
    "SetActorHiddenInGame": (
        "{bNewHidden?hide|show} {Target}",
        "{bNewHidden?hide|show} {Target} in the game",
        "set whether {Target} is hidden in game to {bNewHidden}",
    ),
    "SetActorEnableCollision": (
        "turn {bNewActorEnableCollision?on|off} the collision of {Target}",
        "{bNewActorEnableCollision?enable|disable} collision for {Target}",
        "set the collision of {Target} to {bNewActorEnableCollision}",
    ),
    "SetActorLocation": (
        "move {Target} to {NewLocation}",
        "set the location of {Target} to {NewLocation}",
        "set {Target's} location to {NewLocation}",
        "place {Target} at {NewLocation}",
        "put {Target} at {NewLocation}",
    ),
    "SetActorRotation": (
        "set the rotation of {Target} to {NewRotation}",
        "set {Target's} rotation to {NewRotation}",
        "turn {Target} to the rotation {NewRotation}",
    ),
    "SetActorScale3D": (
        "set the scale of {Target} to {NewScale3D}",
        "set {Target's} scale to {NewScale3D}",
        "scale {Target} to {NewScale3D}",
        "resize {Target} to {NewScale3D}",
    ),
    "AddActorLocalRotation": (
        "add {DeltaRotation} to the local rotation of {Target}",
        "rotate {Target} locally by {DeltaRotation}",
        "rotate {Target} by {DeltaRotation} in local space",
    ),
    "AddActorLocalOffset": (
        "move {Target} by {DeltaLocation} in local space",
        "add a local offset of {DeltaLocation} to {Target}",
        "shift {Target} by {DeltaLocation} along its own axes",
    ),
    "AddActorWorldOffset": (
        "move {Target} by {DeltaLocation} in world space",
        "add a world offset of {DeltaLocation} to {Target}",
        "shift {Target} by {DeltaLocation} along the world axes",
    ),
    "SpawnActorFromClass": (
        "spawn {ActorClass}[ at {SpawnTransform}]",
        "spawn an actor of class {ActorClass}[ at {SpawnTransform}]",
        "create a {ActorClass} actor[ at {SpawnTransform}]",
    ),
    "ApplyDamage": (
        "apply {BaseDamage} damage to {DamagedActor}",
        "damage {DamagedActor} by {BaseDamage}",
        "deal damage of {BaseDamage} to {DamagedActor}",
        "hurt {DamagedActor} by {BaseDamage}",
    ),
    "LaunchCharacter": (
        "launch {Target} with velocity {LaunchVelocity}",
        "launch the character {Target} by {LaunchVelocity}",
        "throw {Target} into the air with velocity {LaunchVelocity}",
    ),
    "SetLifeSpan": (
        "set the life span of {Target} to {InLifespan!s}",
        "let {Target} live for {InLifespan!s}",
        "give {Target} a life span of {InLifespan!s}",
    ),
    "AttachActorToActor": (
        "attach {Target} to {ParentActor}",
        "fasten {Target} to {ParentActor}",
        "make {ParentActor} the parent that {Target} is attached to",
    ),
    "SetTimerByFunctionName": (
        "start a {bLooping?looping|single} timer that calls {FunctionName} after {Time!s}",
        "set a timer that calls {FunctionName} after {Time!s}[, with looping set to {bLooping}]",
        "call {FunctionName} by a timer after {Time!s}[, with looping set to {bLooping}]",
    ),
    "ClearTimerByFunctionName": (
        "clear the timer for {FunctionName}",
        "stop the timer that calls {FunctionName}",
        "cancel the {FunctionName} timer",
    ),
    "PlaySound": ("play the sound {Sound}", "play {Sound}", "let the sound {Sound} be heard"),
    "PlaySoundAtLocation": (
        "play the sound {Sound} at {Location}",
        "play {Sound} at the location {Location}",
    ),
    "OpenLevel": (
        "open the level {LevelName!b}",
        "load the level {LevelName!b}",
        "switch to the level {LevelName!b}",
    ),
    "SetVisibility": (
        "make {Target} {bNewVisibility?visible|invisible}",
        "set the visibility of {Target} to {bNewVisibility}",
    ),
    "ToggleVisibility": (
        "toggle the visibility of {Target}",
        "flip {Target's} visibility",
        "toggle whether {Target} is visible",
    ),
    "SetRelativeLocation": (
        "set the relative location of {Target} to {NewLocation}",
        "set {Target's} relative location to {NewLocation}",
        "move {Target} to the relative location {NewLocation}",
    ),
    "SetRelativeRotation": (
        "set the relative rotation of {Target} to {NewRotation}",
        "set {Target's} relative rotation to {NewRotation}",
        "turn {Target} to the relative rotation {NewRotation}",
    ),
    "SetSimulatePhysics": (
        "turn {bSimulate?on|off} physics for {Target}",
        "{bSimulate?start|stop} simulating physics on {Target}",
        "set physics simulation of {Target} to {bSimulate}",
    ),
    "AddImpulse": (
        "add an impulse of {Impulse} to {Target}",
        "kick {Target} with an impulse of {Impulse}",
        "give {Target} an impulse of {Impulse}",
    ),
    "AddForce": (
        "add a force of {Force} to {Target}",
        "push {Target} with a force of {Force}",
        "apply a force of {Force} to {Target}",
    ),
    "SetIntensity": (
        "set the intensity of {Target} to {NewIntensity}",
        "set {Target's} intensity to {NewIntensity}",
        "set the brightness of {Target} to {NewIntensity}",
    ),
    "CreateWidget": (
        "create the widget {WidgetClass}",
        "create a {WidgetClass} widget",
        "make a new widget of class {WidgetClass}",
    ),
    "AddToViewport": (
        "add {Target} to the viewport",
        "show {Target} on the screen",
        "put {Target} on the viewport",
    ),
    "RemoveFromParent": (
        "remove {Target} from its parent",
        "take {Target} off the screen",
        "remove the widget {Target}",
    ),
    "ArrayAdd": ("add {Item} to {Array}", "append {Item} to {Array}", "put {Item} at the end of {Array}"),
    "ArrayRemove": (
        "remove {Item} from {Array}",
        "remove the item {Item} from {Array}",
        "take {Item} out of {Array}",
    ),
    "ArrayRemoveIndex": (
        "remove the item at index {Index} from {Array}",
        "delete the element at index {Index} of {Array}",
    ),
    "ArrayClear": ("clear {Array}", "empty {Array}", "remove everything from {Array}"),
    "CallParent": ("call the parent's {FunctionName}", "run the parent version of {FunctionName}"),
    "CallInterface": (
        "call the interface function {FunctionName} of {InterfaceName} on {Target}",
        "send the interface message {FunctionName} ({InterfaceName}) to {Target}",
    ),
    "SetMember": (
        "set the {MemberName} of the {OwnerClass} {Target} to {Value}",
        "set the variable {MemberName} on {Target}, a {OwnerClass}, to {Value}",
    ),
    "DelayUntilNextTick": ("wait until the next tick", "delay until the next tick"),
    "SetActorLocationAndRotation": (
        "set the location of {Target} to {NewLocation} and its rotation to {NewRotation}",
        "move {Target} to {NewLocation} with the rotation {NewRotation} in one step",
    ),
    "TeleportActor": (
        "teleport {Target} to {DestLocation} with rotation {DestRotation}",
        "teleport {Target} to the location {DestLocation} and rotation {DestRotation}",
    ),
    "DetachFromActor": (
        "detach {Target} from its parent actor",
        "loosen {Target} from the actor it is attached to",
    ),
    "ApplyRadialDamage": (
        "apply {BaseDamage} radial damage around {Origin} within a radius of"
        " {DamageRadius}[, with full damage set to {bDoFullDamage}]",
        "deal radial damage of {BaseDamage} at {Origin} with radius"
        " {DamageRadius}[ (full damage: {bDoFullDamage})]",
    ),
    "Jump": ("make {Target} jump", "let {Target} jump"),
    "StopJumping": ("make {Target} stop jumping", "stop the jump of {Target}"),
    "AddMovementInput": (
        "add movement input to {Target} in the direction {WorldDirection}[ scaled by {ScaleValue}]",
        "move {Target} along {WorldDirection} by movement input[ with scale {ScaleValue}]",
    ),
    "AddControllerYawInput": (
        "add {Val} controller yaw input to {Target}",
        "add controller yaw input of {Val} to {Target}",
    ),
    "AddControllerPitchInput": (
        "add {Val} controller pitch input to {Target}",
        "add controller pitch input of {Val} to {Target}",
    ),
    "SpawnEmitterAtLocation": (
        "spawn the emitter {EmitterTemplate} at {Location}",
        "play the particle effect {EmitterTemplate} at {Location}",
    ),
    "PlayAnimMontage": (
        "play the montage {AnimMontage} on {Target}[ at rate {InPlayRate}]",
        "let {Target} play the anim montage {AnimMontage}[ at a play rate of {InPlayRate}]",
    ),
    "SetWorldLocation": (
        "set the world location of {Target} to {NewLocation}",
        "set {Target's} world location to {NewLocation}",
    ),
    "SetWorldRotation": (
        "set the world rotation of {Target} to {NewRotation}",
        "set {Target's} world rotation to {NewRotation}",
    ),
    "SetRelativeScale3D": (
        "set the relative scale of {Target} to {NewScale3D}",
        "set {Target's} relative scale to {NewScale3D}",
    ),
    "AddLocalRotation": (
        "rotate the component {Target} locally by {DeltaRotation}",
        "add a local rotation of {DeltaRotation} to the component {Target}",
    ),
    "AttachComponentToComponent": (
        "attach the component {Target} to {Parent}[ at socket {SocketName}]",
        "fasten the component {Target} to {Parent}[ at socket {SocketName}]",
    ),
    "SetHiddenInGame": (
        "{NewHidden?hide|show} the component {Target} in the game",
        "set hidden in game of {Target} to {NewHidden}",
    ),
    "Activate": (
        "activate {Target}[ with reset set to {bReset}]",
        "switch on the component {Target}[ with reset set to {bReset}]",
    ),
    "SetLightColor": (
        "set the light color of {Target} to {NewLightColor}",
        "give the light {Target} the color {NewLightColor}",
    ),
    "SetMovementMode": (
        "set the movement mode of {Target} to {NewMovementMode}",
        "switch {Target} to the movement mode {NewMovementMode}",
    ),
    "AddToPlayerScreen": ("add {Target} to the player screen", "put {Target} on its player's screen"),
    "SetWidgetVisibility": (
        "set the widget visibility of {Target} to {InVisibility}",
        "make the widget {Target} {InVisibility}",
    ),
    "SetText": ("set the text of {Target} to {InText}", "write {InText} into the text block {Target}"),
    "SetPercent": (
        "set the percent of {Target} to {InPercent}",
        "fill the progress bar {Target} to {InPercent}",
    ),
    "AddChildWidget": (
        "add {Content} as a child of {Target}",
        "put the widget {Content} into the panel {Target}",
    ),
    "SetInputModeGameOnly": (
        "set the input mode of {PlayerController} to game only",
        "switch {PlayerController} to the game only input mode",
    ),
    "GetAllActorsOfClass": (
        "get all actors of class {ActorClass}",
        "find every actor of the class {ActorClass}",
    ),
    "GetAllActorsWithTag": ("get all actors with the tag {Tag}", "find every actor tagged {Tag}"),
    "ArrayInsert": (
        "insert {Item} into {Array} at index {Index}",
        "put {Item} into {Array} at index {Index}",
    ),
    "ArraySet": (
        "set the element of {Array} at index {Index} to {Item}",
        "replace the item at index {Index} of {Array} by {Item}",
    ),
    "ArrayAddUnique": (
        "add {Item} to {Array} if it is not in there yet",
        "add {Item} to {Array} as a unique item",
    ),
    "ArrayShuffle": ("shuffle {Array}", "put {Array} in random order"),
    "EnableInput": (
        "enable input on {Target} for {PlayerController}",
        "let {Target} receive input from {PlayerController}",
    ),
    "DisableInput": (
        "disable input on {Target} for {PlayerController}",
        "stop {Target} from receiving input from {PlayerController}",
    ),
    "QuitGame": ("quit the game", "exit the game"),
    "SetGamePaused": ("{bPaused?pause|unpause} the game", "set the game paused state to {bPaused}"),
    "SetGlobalTimeDilation": (
        "set the global time dilation to {TimeDilation}",
        "let the whole game run with a time dilation of {TimeDilation}",
    ),
    "CreateSaveGameObject": (
        "create a save game object of class {SaveGameClass}",
        "make a new save game of class {SaveGameClass}",
    ),
    "SaveGameToSlot": (
        "save {SaveGameObject} to the slot {SlotName}[ for user index {UserIndex}]",
        "write the save game {SaveGameObject} to slot {SlotName}[ with user index {UserIndex}]",
    ),
    "LoadGameFromSlot": (
        "load the game from the slot {SlotName}[ for user index {UserIndex}]",
        "load the save game in slot {SlotName}[ with user index {UserIndex}]",
    ),
    "DoesSaveGameExist": (
        "check whether a save game exists in the slot {SlotName}[ for user index {UserIndex}]",
        "look up if slot {SlotName} holds a save game[ for user index {UserIndex}]",
    ),
    "SetTimerByEvent": (
        "start a {bLooping?looping|single} timer on {Delegate} with {Time!s}",
        "set a timer by event that runs {Delegate} after {Time!s}[, with looping set to {bLooping}]",
    ),
    "ClearTimerByHandle": ("clear the timer of the handle {Handle}", "clear the timer with handle {Handle}"),
    "PauseTimerByHandle": ("pause the timer of the handle {Handle}", "pause the timer with handle {Handle}"),
    "UnpauseTimerByHandle": (
        "unpause the timer of the handle {Handle}",
        "resume the timer with handle {Handle}",
    ),
    "BindEvent": (
        "bind {Delegate} to the dispatcher {DispatcherName} of {Target}",
        "bind {Delegate} to {DispatcherName} on {Target}",
    ),
    "UnbindEvent": (
        "unbind {Delegate} from the dispatcher {DispatcherName} of {Target}",
        "unbind {Delegate} from {DispatcherName} on {Target}",
    ),
    "UnbindAllEvents": (
        "unbind all events from the dispatcher {DispatcherName} of {Target}",
        "remove every binding of {DispatcherName} on {Target}",
    ),
    "CallDispatcher": (
        "call the dispatcher {DispatcherName} of {Target}",
        "broadcast the event dispatcher {DispatcherName} on {Target}",
    ),
    "SetMaterial": (
        "set the material of {Target} at element {ElementIndex} to {Material}",
        "give {Target} the material {Material} at element index {ElementIndex}",
    ),
    "CreateDynamicMaterialInstance": (
        "create a dynamic material instance[ of {SourceMaterial}] for element {ElementIndex} of {Target}",
        "make a dynamic material[ from {SourceMaterial}] at element index {ElementIndex} of {Target}",
    ),
    "SetScalarParameterValue": (
        "set the scalar parameter {ParameterName} of {Target} to {Value}",
        "set the scalar material parameter {ParameterName} on {Target} to {Value}",
    ),
    "SetVectorParameterValue": (
        "set the vector parameter {ParameterName} of {Target} to {Value}",
        "set the color parameter {ParameterName} on {Target} to {Value}",
    ),
    "SetEnableGravity": (
        "turn gravity {bGravityEnabled?on|off} for {Target}",
        "{bGravityEnabled?enable|disable} gravity on {Target}",
        "set gravity of {Target} to {bGravityEnabled}",
    ),
    "SetPhysicsLinearVelocity": (
        "set the physics linear velocity of {Target} to {NewVel}[,"
        " with add to current set to {bAddToCurrent}]",
        "give {Target} the linear velocity {NewVel}[ (add to current: {bAddToCurrent})]",
    ),
    "SetCollisionEnabled": (
        "set the collision enabled type of {Target} to {NewType}",
        "change the collision of {Target} to {NewType}",
    ),
    "SetCollisionResponseToChannel": (
        "set the collision response of {Target} to the channel {Channel} to {NewResponse}",
        "let {Target} respond to the collision channel {Channel} with {NewResponse}",
    ),
    "LineTraceByChannel": (
        "trace a line from {Start} to {End} on the channel {TraceChannel}",
        "do a line trace from {Start} to {End} by channel {TraceChannel}",
    ),
    "LineTraceForObjects": (
        "trace a line from {Start} to {End} for the object types {ObjectTypes}",
        "do a line trace for objects of types {ObjectTypes} from {Start} to {End}",
    ),
    "SphereOverlapActors": (
        "find the actors that overlap a sphere at {SpherePos} with radius"
        " {SphereRadius} and object types {ObjectTypes}",
        "do a sphere overlap at {SpherePos} with radius {SphereRadius} for the object types {ObjectTypes}",
    ),
    "SpawnSoundAtLocation": (
        "spawn the sound {Sound} at {Location}",
        "spawn {Sound} as a sound at the location {Location}",
    ),
    "PlayAudio": ("play the audio component {Target}", "start the audio of {Target}"),
    "StopAudio": ("stop the audio component {Target}", "stop the audio of {Target}"),
    "FadeOutAudio": (
        "fade out the audio of {Target} over {FadeOutDuration!s} to volume {FadeVolumeLevel}",
        "let the audio component {Target} fade out to volume {FadeVolumeLevel} in {FadeOutDuration!s}",
    ),
    "SetViewTargetWithBlend": (
        "set the view target of {Target} to {NewViewTarget} with a blend time of {BlendTime!s}",
        "blend the view of {Target} to {NewViewTarget} in {BlendTime!s}",
    ),
    "SetFieldOfView": (
        "set the field of view of {Target} to {InFieldOfView}",
        "set {Target's} field of view to {InFieldOfView}",
    ),
    "MoveToActor": (
        "let the AI controller {Target} move to {Goal}[ with an acceptance radius of {AcceptanceRadius}]",
        "send {Target} to the actor {Goal}[ with acceptance radius {AcceptanceRadius}]",
    ),
    "SetBlackboardBool": (
        "set the blackboard bool {KeyName} of {Target} to {BoolValue}",
        "set the bool key {KeyName} of the blackboard {Target} to {BoolValue}",
    ),
    "SetAdd": ("add {Item} to the set {Set}", "put {Item} into the set {Set}"),
    "SetRemove": ("remove {Item} from the set {Set}", "take {Item} out of the set {Set}"),
    "MapAdd": (
        "add {Value} under the key {Key} to the map {Map}",
        "store {Value} in the map {Map} under the key {Key}",
    ),
    "MapRemove": ("remove the key {Key} from the map {Map}", "take the key {Key} out of the map {Map}"),
}
