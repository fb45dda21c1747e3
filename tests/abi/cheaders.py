# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Reads C headers: which macros, enumerators, types and fields they declare.

It understands what ABI headers contain, no more: structures, unions, enumerations, typedefs, no functions with bodies
worth reading. The compiler preprocesses; nothing is computed here, only named.
"""

import re
import subprocess

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[A-Za-z_]\w*|\d[\w.]*|\S')
IDENTIFIER = re.compile(r"^[A-Za-z_]\w*$")


def run_compiler(arguments, source=None):
    result = subprocess.run(arguments, input=source, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError("%s\n%s" % (" ".join(arguments), result.stderr))
    return result.stdout


class Field:
    """path as offsetof takes it; sized is false for a flexible array, plain for what has an offset (no bit-field)."""

    def __init__(self, path, sized=True, plain=True):
        self.path, self.sized, self.plain = path, sized, plain


class Headers:
    """What a set of headers declares, compiled one way. prefix is C text that comes before the inclusions."""

    def __init__(self, compiler, includes, prefix=""):
        self.compiler = compiler
        self.text = prefix + "".join(f"#include <{include}>\n" for include in includes)
        self.macros = self._read_macros()
        self.records, self.enumerators, self.typedefs = {}, [], []
        self._parse(self._tokens())

    def _read_macros(self):
        """Maps each active macro to whether it takes arguments."""
        macros = {}
        for line in run_compiler([*self.compiler, "-E", "-dM", "-xc", "-"], self.text).splitlines():
            match = re.match(r"#define (\w+)(\()?", line)
            if match:
                macros[match.group(1)] = bool(match.group(2))
        return macros

    def expand(self, names):
        """Full expansion of each object-like macro, as tokens joined by spaces."""
        lines = "".join(f"@@@{index}@@@ {name}\n" for index, name in enumerate(names))
        output = run_compiler([*self.compiler, "-E", "-P", "-xc", "-"], self.text + lines)
        pieces = re.split(r"@@@\s*(\d+)\s*@@@", output)
        return {names[int(index)]: " ".join(TOKEN.findall(text)) for index, text in zip(pieces[1::2], pieces[2::2])}

    def _tokens(self):
        text = run_compiler([*self.compiler, "-E", "-P", "-xc", "-"], self.text)
        return drop_attributes(TOKEN.findall(text))

    def _parse(self, tokens):
        position = 0
        while position < len(tokens):
            start = position
            position = end_of_declaration(tokens, position)
            self._declaration(tokens[start:position])

    def _declaration(self, tokens):
        typedef = bool(tokens) and tokens[0] == "typedef"
        body = tokens[1:] if typedef else tokens
        record = None
        if len(body) > 1 and body[0] in ("struct", "union", "enum"):
            record, rest = self._specifier(body)
        else:
            rest = body
        if typedef:
            names = [declarator_name(part) for part in split(rest, ",")]
            self.typedefs += [name for name in names if name]
            if record is not None and names and names[0]:
                self.records.setdefault(names[0], record)

    def _specifier(self, tokens):
        """A struct, union or enum specifier: returns its fields, or None, and the tokens after it."""
        keyword, position = tokens[0], 1
        tag = None
        if IDENTIFIER.match(tokens[position]):
            tag, position = tokens[position], position + 1
        if position >= len(tokens) or tokens[position] != "{":
            return None, tokens[position:]
        end = closing(tokens, position)
        body = tokens[position + 1:end]
        if keyword == "enum":
            self.enumerators += [part[0] for part in split(body, ",") if part]
            return None, tokens[end + 1:]
        fields = self._fields(body)
        if tag:
            self.records[f"{keyword} {tag}"] = fields
        return fields, tokens[end + 1:]

    def _fields(self, tokens):
        fields = []
        for declaration in split(tokens, ";"):
            if not declaration:
                continue
            inner, rest = None, declaration
            if declaration[0] in ("struct", "union", "enum"):
                inner, rest = self._specifier(declaration)
            if not rest and inner is not None:
                fields += inner
                continue
            for part in split(rest, ","):
                fields += member(part, inner)
        return fields


def member(part, inner):
    name = declarator_name(part)
    if not name:
        return []
    if ":" in part:
        return [Field(name, plain=False)]
    flexible = "[" in part and part[part.index("[") + 1] == "]"
    fields = [Field(name, sized=not flexible)]
    step = name + ("[0]." if "[" in part else ".")
    for field in inner or []:
        fields.append(Field(step + field.path, field.sized, field.plain))
    return fields


def declarator_name(part):
    """The name that a declarator declares: the last identifier before an array bound, a width or an initializer."""
    for stop, token in enumerate(part):
        if token in ("[", ":", "="):
            part = part[:stop]
            break
    names = [token for token in part if IDENTIFIER.match(token)]
    return names[-1] if names and "(" not in part else None


def closing(tokens, position):
    depth = 0
    for index in range(position, len(tokens)):
        if tokens[index] in "({[":
            depth += 1
        elif tokens[index] in ")}]":
            depth -= 1
            if depth == 0:
                return index
    raise RuntimeError("unbalanced: " + " ".join(tokens[position:position + 20]))


def end_of_declaration(tokens, position):
    """Past the next semicolon, or past the body of a function."""
    parameters = False
    while position < len(tokens):
        if tokens[position] in "({[":
            function_body = tokens[position] == "{" and parameters
            parameters = tokens[position] == "("
            position = closing(tokens, position) + 1
            if function_body:
                return position
        elif tokens[position] == ";":
            return position + 1
        else:
            parameters = parameters and tokens[position] not in ("=",)
            position += 1
    return position


def split(tokens, separator):
    parts, current, position = [], [], 0
    while position < len(tokens):
        if tokens[position] == separator:
            parts.append(current)
            current = []
            position += 1
        elif tokens[position] in "({[":
            end = closing(tokens, position)
            current += tokens[position:end + 1]
            position = end + 1
        else:
            current.append(tokens[position])
            position += 1
    return [part for part in [*parts, current] if part and part != [";"]]


def drop_attributes(tokens):
    kept, position = [], 0
    while position < len(tokens):
        if tokens[position] in ("__attribute__", "__asm__"):
            position = closing(tokens, position + 1) + 1
        else:
            if tokens[position] != "__extension__":
                kept.append(tokens[position])
            position += 1
    return kept
