#!/usr/bin/env python3
"""Compares what commands print with -j with what they print without: json_check.py DIR...

Of each command, DIR has the files N.command, and text.N and json.N with .out, .err and .status.
"""
import json
import pathlib
import re
import sys

ADDRESS = re.compile(r"(?<![0-9a-fA-F])[0-9a-f]{16}(?![0-9a-fA-F])")


def unique(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key twice in one object: %s" % [key for key, _ in pairs])
    return members


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)
    elif isinstance(value, dict):
        for member in value.values():
            yield from strings(member)


def no_constant(word):
    raise ValueError("%s is no JSON" % word)


def check(command, text, doc_text):
    """Yields what is wrong with one command."""
    out, err, status = text
    line, json_err, json_status = doc_text
    if line.count("\n") != 1 or not line.endswith("\n"):
        yield "%u lines" % line.count("\n")
    doc = json.loads(line, object_pairs_hook=unique, parse_constant=no_constant)
    if doc.pop("command") != command:
        yield "another command"
    if not doc.pop("target"):
        yield "no target"
    if not isinstance(doc.get("rows"), list) or not isinstance(doc.get("objects"), list):
        yield "no rows or no objects"
    if {"Y", "N"} & set(strings(doc)):
        yield "a word in the place of true or false"
    if status != json_status:
        yield "status %s as text, %s as JSON" % (status, json_status)
    if err != json_err:
        yield "stderr differs: %s" % json_err
    seen = set(ADDRESS.findall(out + err))
    told = set(ADDRESS.findall("\n".join(strings(doc))))
    if seen - told:
        yield "only in the text: %s" % sorted(seen - told)
    if told - seen:
        yield "only in JSON: %s" % sorted(told - seen)
    if "error" in doc and "vswsh: %s\n" % doc["error"] not in err:
        yield "stderr does not have the error %s" % doc["error"]
    if (status != "0") != ("error" in doc or "troubles" in doc):
        yield "status %s, error %s, troubles %s" % (
            status, doc.get("error"), doc.get("troubles"))
    for trouble in doc.get("troubles", []):
        if trouble["why"] not in out + err:
            yield "only in JSON: %s" % trouble


def read(at, what, number):
    return [(at / ("%s.%s.%s" % (what, number, kind))).read_text()
            for kind in ("out", "err", "status")]


bad = commands = 0
for folder in map(pathlib.Path, sys.argv[1:]):
    for file in sorted(folder.glob("*.command")):
        command = file.read_text()
        commands += 1
        try:
            wrong = list(check(command, read(folder, "text", file.stem),
                               read(folder, "json", file.stem)))
        except (ValueError, KeyError) as error:
            wrong = [repr(error)]
        for what in wrong:
            print("%s: %s: %s" % (folder.name, command, what))
            bad += 1
if commands == 0:
    print("nothing to look at")
sys.exit(bad > 0 or commands == 0)
