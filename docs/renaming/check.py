"""Cheap check of a map: every name exists, no new name collides in its scope."""

import ast, pathlib, sys


def module_file(mod):
    p = pathlib.Path(*mod.split(".")) if not mod.startswith("support") else pathlib.Path("tests", *mod.split("."))
    return next((x for x in (p.with_suffix(".py"), p / "__init__.py") if x.exists()), None)


cache = {}


def tree(f):
    if f not in cache:
        cache[f] = ast.parse(f.read_text())
    return cache[f]


def split(fqn):
    parts = fqn.split(".")
    for k in range(len(parts), 0, -1):
        f = module_file(".".join(parts[:k]))
        if f:
            return f, parts[k:]
    return None, parts


def bound(node):
    out = set()
    for n in node.body if hasattr(node, "body") else []:
        stack = [n]
        while stack:
            x = stack.pop()
            if isinstance(x, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                out.add(x.name)
                continue
            if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store):
                out.add(x.id)
            if isinstance(x, (ast.Import, ast.ImportFrom)):
                out |= {a.asname or a.name for a in x.names}
            stack.extend(ast.iter_child_nodes(x))
    return out


def selfattrs(cls):
    return {
        x.attr
        for x in ast.walk(cls)
        if isinstance(x, ast.Attribute)
        and isinstance(x.value, ast.Name)
        and x.value.id == "self"
        and isinstance(x.ctx, ast.Store)
    }


def locals_of(fn):
    a = fn.args
    out = (
        {x.arg for x in (*a.args, *a.kwonlyargs, *a.posonlyargs)}
        | ({a.vararg.arg} if a.vararg else set())
        | ({a.kwarg.arg} if a.kwarg else set())
    )
    out |= {x.id for x in ast.walk(fn) if isinstance(x, ast.Name)}
    out |= {x.name for x in ast.walk(fn) if isinstance(x, ast.ExceptHandler) and x.name} | {
        x.arg for x in ast.walk(fn) if isinstance(x, ast.arg)
    }
    return out


def find(node, name):
    for x in ast.walk(node):
        if x is not node and isinstance(x, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and x.name == name:
            return x


bad = 0
seen = {}
for number, line in enumerate(open(sys.argv[1]), 1):
    w = line.split("#")[0].split()
    if not w:
        continue

    def say(t):
        global bad
        bad += 1
        print(f"{number}: {line.strip()}: {t}")

    if w[0] == "mv":
        if not pathlib.Path(w[1]).exists():
            say("no such file")
        continue
    if (w[0], len(w)) not in (("nm", 3), ("lv", 4)):
        say("unreadable")
        continue
    f, rest = split(w[1])
    if not f:
        say("no such module")
        continue
    key = tuple(w[:-1])
    if key in seen:
        say(f"twice (line {seen[key]})")
    seen[key] = number
    if not w[-1].isidentifier():
        say("no identifier")
    t = tree(f)
    if w[0] == "nm":
        if len(rest) == 1:
            b = bound(t)
            if rest[0] not in b:
                say("module has no such name")
            elif w[2] in b and w[2] != rest[0]:
                say(f"module already binds {w[2]}")
        elif len(rest) == 2:
            c = next((x for x in t.body if isinstance(x, ast.ClassDef) and x.name == rest[0]), None) or find(t, rest[0])
            if c is None:
                say("no such class")
                continue
            b = bound(c) | selfattrs(c)
            if rest[1] not in b:
                say("class has no such attribute of its own")
            elif w[2] in b:
                say(f"class already has {w[2]}")
        else:
            say("too deep")
    else:
        node = t
        for r in rest:
            node = find(node, r)
            if node is None:
                break
        if node is None or isinstance(node, ast.ClassDef):
            say("no such function")
            continue
        b = locals_of(node)
        if w[2] not in b:
            say(f"function has no {w[2]}")
        elif w[3] in b:
            say(f"function already uses {w[3]}")
print("OK" if not bad else f"{bad} problems")
