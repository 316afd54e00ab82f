"""The grammar of canonical programs, in the EBNF dialect of llama.cpp and xgrammar.

It describes what the printer writes. The parser also takes the lenient spellings of docs/dsl.md. Tests
hold the three together: every text of the grammar parses, everything printed is a text of the grammar.
"""

GRAMMAR = r"""root     ::= "BLUEPRINT: " name "\n" "PARENT: " name "\n" category? var* graph+
category ::= "CATEGORY: " name "\n"
var      ::= "VAR " name ": " type (" = " value)? "\n"
graph    ::= (event | function) (node (exec | data)*)* comment*
event    ::= "GRAPH: " name "\n"
function ::= ("FUNCTION: " | "MACRO: ") name pins? "\n"
node     ::= "NODE " ident ": " name (" [" prop (", " prop)* "]")? pins? "\n"
exec     ::= "EXEC " end " -> " end "\n"
data     ::= "DATA " end " -> " end (" [" type "]")? "\n"
comment  ::= "COMMENT: " string (" (" ident (", " ident)* ")")? "\n"
end      ::= ident "." pinname
pins     ::= " (" pin (", " pin)* ")"
pin      ::= ("in " | "out ") pinname ": " type
prop     ::= ("@" ident | pinname) "=" value
value    ::= "true" | "false" | float | int | string | struct
struct   ::= "(" (field ("," field)*)? ")"
field    ::= pinname "=" value
type     ::= name ("<" type ("," type)? ">")?
name     ::= ident | "\"" char+ "\""
pinname  ::= ident | string
ident    ::= [a-zA-Z_] [a-zA-Z0-9_]*
int      ::= "-"? [0-9]+
float    ::= "-"? [0-9]+ ("." [0-9]+ exponent? | exponent)
exponent ::= "e" [+-]? [0-9]+
string   ::= "\"" char* "\""
char     ::= [^"\\\n\r] | "\\" ["\\nrt] | "\\u" hex hex hex hex | "\\U0" (("00" hex | "010") hex hex hex hex)
hex      ::= [0-9a-f]
"""
