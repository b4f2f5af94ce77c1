"""Apply a map of moves and renames to the tree in the current directory: ``python docs/renaming/apply.py FILE.map``.

Map lines (# comments allowed):
  mv  tui_app/a/b.py tui_app/c/d.py      move a file or a folder
  nm  tui_app.a.b.Name NewName           a top-level name of a module
  nm  tui_app.a.b.Class.attr new         a method, field or attribute (its bases and subclasses in our code follow)
  lv  tui_app.a.b.Class.func old new     a parameter or local variable (keyword arguments at calls follow)
Names in the map are those BEFORE any line of the map is applied. For local functions: tui_app.a.b.func.inner
"""

import ast, re, sys, subprocess, pathlib, collections
import libcst as cst
from libcst.metadata import (
    MetadataWrapper,
    PositionProvider,
    ScopeProvider,
    QualifiedNameProvider,
    QualifiedNameSource,
    FunctionScope,
    ComprehensionScope,
    ClassScope,
    GlobalScope,
    ParentNodeProvider,
)

ROOTS = ["tui_app", "tests", "benchmarks", "docs"]


def hide(p):
    return p.replace(".", chr(0))


def module_of(path):
    parts = pathlib.PurePath(path).with_suffix("").parts
    if parts[0] == "tests" and parts[1:2] == ("support",):
        parts = parts[1:]
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


class Map:
    def __init__(self, file):
        self.moves = []
        self.names = {}
        self.attrs = {}
        self.locals = {}
        self.problems = []
        for number, line in enumerate(pathlib.Path(file).read_text().splitlines(), 1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            w = line.split()
            if w[0] == "mv" and len(w) == 3:
                self.moves.append((w[1].rstrip("/"), w[2].rstrip("/")))
            elif w[0] == "nm" and len(w) == 3:
                self.names[w[1]] = w[2]
            elif w[0] == "lv" and len(w) == 4:
                self.locals[(w[1], w[2])] = w[3]
            else:
                sys.exit(f"{file}:{number}: cannot read: {line}")


def py_files():
    return sorted(str(p) for r in ROOTS for p in pathlib.Path(r).rglob("*.py") if ".venv" not in p.parts)


def run_mypy(files):
    from mypy import build
    from mypy.options import Options
    from mypy.modulefinder import BuildSource

    o = Options()
    o.python_version = (3, 11)
    o.check_untyped_defs = True
    o.export_types = True
    o.preserve_asts = True
    o.incremental = False
    o.ignore_errors = True
    o.namespace_packages = True
    o.ignore_missing_imports = True
    o.follow_imports = "normal"
    sources = [BuildSource(f, module_of(f), None) for f in files]
    return build.build(sources, o)


def main():
    m = Map(sys.argv[1])
    dry = "--dry" in sys.argv
    files = py_files()
    mods = {module_of(f): f for f in files}
    # ---- which nm lines are attributes
    defs = {}  # module -> top-level names
    for mod, f in mods.items():
        tree = ast.parse(pathlib.Path(f).read_text())
        names = set()
        for n in ast.walk(tree):
            if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(n.name)
            elif isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store):
                names.add(n.id)
            elif isinstance(n, ast.TypeAlias) if hasattr(ast, "TypeAlias") else False:
                names.add(n.name.id)
        defs[mod] = names
    tops, attrs = {}, {}
    for fqn, new in m.names.items():
        mod = fqn
        while mod and mod not in mods:
            mod = mod.rpartition(".")[0]
        rest = fqn[len(mod) + 1 :].split(".") if mod else []
        if not mod or rest == [] or rest[0] not in defs[mod] and not rest[0].startswith("test_"):
            m.problems.append(f"nm {fqn}: not found")
            continue
        if len(rest) == 1:
            tops[fqn] = new
        else:
            attrs[fqn] = new
    for fn, old in m.locals:
        mod = fn
        while mod and mod not in mods:
            mod = mod.rpartition(".")[0]
        if not mod:
            m.problems.append(f"lv {fn} {old}: no such module")
    attr_olds = {a.rpartition(".")[2] for a in attrs}
    param_olds = {old for _, old in m.locals}
    members = {}
    keywords = {}
    canonical = {}
    owners = collections.defaultdict(set)
    targets = {}
    if attrs or m.locals or tops:
        result = run_mypy(files)
        from mypy.nodes import TypeInfo, MemberExpr, CallExpr, RefExpr, FuncDef, Decorator, Var, MypyFile
        from mypy.types import (
            Instance,
            UnionType,
            TypeType,
            CallableType,
            TupleType,
            TypeVarType,
            AnyType,
            get_proper_type,
            Overloaded,
        )
        from mypy.nodes import Node

        slots = {}
        SKIP = {
            "node",
            "info",
            "type",
            "names",
            "mro",
            "bases",
            "fullname",
            "original_def",
            "unanalyzed_type",
            "defn",
            "alias_deps",
            "plugin_deps",
            "type_annotation",
            "rvalue_type",
        }

        def attributes(node):
            cls = type(node)
            if cls not in slots:
                found = []
                for base in cls.__mro__:
                    for k, d in vars(base).items():
                        if (
                            type(d).__name__ in ("getset_descriptor", "member_descriptor")
                            and k not in SKIP
                            and k not in found
                        ):
                            found.append(k)
                slots[cls] = found
            for k in slots[cls]:
                try:
                    yield getattr(node, k)
                except AttributeError:
                    continue

        def walk(root):
            todo = [root]
            seen = set()
            while todo:
                x = todo.pop()
                if isinstance(x, (list, tuple)):
                    todo.extend(x)
                    continue
                if not isinstance(x, Node) or id(x) in seen:
                    continue
                if isinstance(x, (TypeInfo, Var)):
                    continue
                if isinstance(x, MypyFile) and x is not root:
                    continue
                seen.add(id(x))
                yield x
                todo.extend(attributes(x))

        infos = {}

        def collect(table):
            for s in table.values():
                if isinstance(s.node, TypeInfo) and s.node.fullname not in infos:
                    infos[s.node.fullname] = s.node
                    collect(s.node.names)

        for mod, tree in result.files.items():
            if mod in mods:
                collect(tree.names)
                for name, s in tree.names.items():
                    if s.node is not None and s.node.fullname and s.node.fullname != f"{mod}.{name}":
                        canonical[f"{mod}.{name}"] = s.node.fullname
        ours = {k: v for k, v in infos.items() if v.module_name in mods}
        for k, v in ours.items():
            for n in v.names:
                if n in attr_olds:
                    owners[n].add(k)
        for fqn, new in attrs.items():
            cls, _, old = fqn.rpartition(".")
            if cls not in ours:
                m.problems.append(f"nm {fqn}: no class {cls}")
                continue
            info = ours[cls]
            if old not in info.names:
                m.problems.append(f"nm {fqn}: {cls} has no {old}; it has {sorted(info.names)[:40]}")
                continue
            for k, v in ours.items():
                if old in v.names and (v in info.mro or info in v.mro):
                    full = f"{k}.{old}"
                    if targets.get(full, new) != new:
                        m.problems.append(f"nm {fqn}: conflict on {full}: {targets[full]} and {new}")
                    targets[full] = new

        def instances(t):
            t = get_proper_type(t)
            if isinstance(t, Instance):
                yield t.type
            elif isinstance(t, UnionType):
                for i in t.items:
                    yield from instances(i)
            elif isinstance(t, TypeType):
                yield from instances(t.item)
            elif isinstance(t, CallableType) and t.is_type_obj():
                yield t.type_object()
            elif isinstance(t, Overloaded) and t.is_type_obj():
                yield t.type_object()
            elif isinstance(t, TupleType):
                yield t.partial_fallback.type
            elif isinstance(t, TypeVarType):
                yield from instances(t.upper_bound)

        def definer(info, name):
            for base in info.mro:
                if name in base.names:
                    return f"{base.fullname}.{name}"
            return None

        from mypy.nodes import SymbolNode

        class V:
            def __init__(self):
                self.members = {}
                self.keywords = {}

            def visit_member_expr(self, e):
                if e.name in attr_olds and e.end_line is not None:
                    pos = (e.end_line, e.end_column - len(e.name))
                    t = result.types.get(e.expr)
                    found = {definer(i, e.name) for i in instances(t)} - {None} if t is not None else set()
                    if found:
                        self.members.setdefault(pos, set()).update(found)

            def visit_call_expr(self, e):
                for a, n in zip(e.args, e.arg_names):
                    if n and (n in attr_olds or n in param_olds):
                        c = e.callee
                        who = set()
                        if isinstance(c, RefExpr) and c.node is not None and c.node.fullname:
                            who.add(c.node.fullname)
                            if c.node.fullname == "dataclasses.replace" and e.args:
                                t = result.types.get(e.args[0])
                                if t is not None:
                                    who |= {i.fullname for i in instances(t)}
                            if isinstance(c.node, TypeInfo):
                                d = definer(c.node, "__init__")
                                who.add(d or "")
                                who |= {b.fullname for b in c.node.mro}
                        if isinstance(c, MemberExpr):
                            t = result.types.get(c.expr)
                            if t is not None:
                                who |= {definer(i, c.name) for i in instances(t)} - {None}
                        t = result.types.get(c)
                        if t is not None:
                            t = get_proper_type(t)
                            if isinstance(t, CallableType):
                                if t.definition is not None and t.definition.fullname:
                                    who.add(t.definition.fullname)
                                if t.is_type_obj():
                                    who |= {b.fullname for b in t.type_object().mro}
                        self.keywords[(a.line, a.column)] = who

        for mod, tree in result.files.items():
            if mod in mods:
                v = V()
                for x in walk(tree):
                    if isinstance(x, MemberExpr):
                        v.visit_member_expr(x)
                    elif isinstance(x, CallExpr):
                        v.visit_call_expr(x)
                members[mod] = v.members
                keywords[mod] = v.keywords

    def resolve(fqn):
        seen = set()
        while fqn in canonical and fqn not in seen:
            seen.add(fqn)
            fqn = canonical[fqn]
        return fqn

    # a local name map keyed by function
    lv = collections.defaultdict(dict)
    for (fn, old), new in m.locals.items():
        lv[fn][old] = new
    params_of = {}  # function fqn -> {old: new} only where old is a parameter
    allmoves = []
    for old, new in m.moves:
        p = pathlib.Path(old)
        if not p.exists():
            m.problems.append(f"mv {old}: does not exist")
            continue
        if p.is_dir():
            for f in sorted(p.rglob("*")):
                if f.is_file() and "__pycache__" not in f.parts:
                    allmoves.append((str(f), new + str(f)[len(old) :]))
        else:
            allmoves.append((old, new))
    final = {}
    for o, n in allmoves:
        final[o] = n
    # a later line for a file inside a moved folder wins over the folder's line
    modmove = {module_of(o): module_of(n) for o, n in final.items() if o.endswith(".py")}
    for old, new in m.moves:
        if pathlib.Path(old).is_dir():
            modmove.setdefault(module_of(old + "/__init__.py"), module_of(new + "/__init__.py"))
    # ---- syntactic pass
    parsed = {}

    class Params(cst.CSTVisitor):
        pass

    report = []

    class Edit(cst.CSTVisitor):
        METADATA_DEPENDENCIES = (PositionProvider, ScopeProvider, QualifiedNameProvider, ParentNodeProvider)

        def __init__(self, mod, lines):
            self.mod = mod
            self.stack = []
            self.edits = {}
            self.scopes = []
            self.lines = lines
            self.used = set()

        def at(self, node):
            p = self.get_metadata(PositionProvider, node).start
            return (p.line, p.column)

        def put(self, node, new):
            self.edits[self.at(node)] = (node.value, new)

        def fqn(self):
            return ".".join([self.mod, *self.stack])

        def visit_ClassDef(self, n):
            full = ".".join([self.fqn(), n.name.value])
            new = tops.get(full)
            if new:
                self.put(n.name, new)
            self.stack.append(n.name.value)

        def leave_ClassDef(self, n):
            self.stack.pop()

        def visit_FunctionDef(self, n):
            full = ".".join([self.fqn(), n.name.value])
            new = tops.get(full) or targets.get(full)
            if new:
                self.put(n.name, new)
            self.stack.append(n.name.value)
            if full in lv:
                scope = self.get_metadata(ScopeProvider, n.body)
                # the scope of the body's nodes
                self.scopes.append((full, n))
                params = {p.name.value for p in (*n.params.params, *n.params.kwonly_params, *n.params.posonly_params)}
                if isinstance(n.params.star_arg, cst.Param):
                    params.add(n.params.star_arg.name.value)
                if n.params.star_kwarg:
                    params.add(n.params.star_kwarg.name.value)
                params_of[full] = {o: w for o, w in lv[full].items() if o in params}
                self.local(full, n)

        def leave_FunctionDef(self, n):
            self.stack.pop()

        def local(self, full, fn):
            wanted = lv[full]
            outer = self
            body_scope = None

            class Find(cst.CSTVisitor):
                def __init__(s):
                    s.names = []

                def visit_Attribute(s, a):
                    a.value.visit(s)
                    return False

                def visit_Arg(s, a):
                    a.value.visit(s)
                    return False

                def visit_Name(s, x):
                    s.names.append(x)

            f = Find()
            fn.visit(f)
            # function scope: take it from a parameter or any name in body
            fscope = None
            for x in f.names:
                sc = outer.get_metadata(ScopeProvider, x, None)
                while sc is not None and not isinstance(sc, GlobalScope):
                    if isinstance(sc, FunctionScope) and sc.name == fn.name.value and _is_of(sc, fn):
                        fscope = sc
                    sc = sc.parent if not isinstance(sc, GlobalScope) else None
                if fscope:
                    break
            existing = {x.value for x in f.names}
            for old, new in wanted.items():
                hit = False
                if new in existing and new not in wanted:
                    # is `new` bound in the function?
                    if any(x.value == new for x in f.names):
                        report.append(f"lv {full} {old} {new}: {new} is used there already; skipped")
                        continue
                for x in f.names:
                    if x.value != old:
                        continue
                    sc = outer.get_metadata(ScopeProvider, x, None)
                    par = outer.get_metadata(ParentNodeProvider, x)
                    if isinstance(par, cst.FunctionDef) and par.name is x:
                        continue
                    if sc is None and isinstance(par, cst.Param):
                        sc = fscope
                    if isinstance(par, cst.Param) and par.name is x:
                        own = any(
                            par is p
                            for p in (
                                *fn.params.params,
                                *fn.params.kwonly_params,
                                *fn.params.posonly_params,
                                fn.params.star_arg,
                                fn.params.star_kwarg,
                            )
                        )
                        if own:
                            outer.put(x, new)
                            hit = True
                            continue
                        # parameter of a lambda or inner function: only where named itself
                        lam = isinstance(
                            outer.get_metadata(ParentNodeProvider, outer.get_metadata(ParentNodeProvider, par)),
                            cst.Lambda,
                        )
                        if lam:
                            outer.put(x, new)
                            hit = True
                        continue
                    if isinstance(par, cst.NameItem):
                        outer.put(x, new)
                        hit = True
                        continue
                    if sc is None:
                        continue
                    try:
                        asg = sc[old]
                    except KeyError:
                        continue
                    ok = False
                    for a in asg:
                        s2 = getattr(a, "scope", None)
                        while isinstance(s2, ComprehensionScope):
                            s2 = s2.parent
                        if isinstance(s2, FunctionScope) and (_is_of(s2, fn) or s2.name is None):
                            ok = True
                    if ok:
                        outer.put(x, new)
                        hit = True
                if not hit:
                    report.append(f"lv {full} {old}: not found")

        def visit_ImportFrom(self, n):
            if n.module is None or isinstance(n.names, cst.ImportStar):
                return False
            base = cst.helpers.get_full_name_for_node(n.module)
            for a in n.names:
                if not isinstance(a.name, cst.Name):
                    continue
                full = resolve(f"{base}.{a.name.value}")
                new = tops.get(full)
                if new and a.name.value == full.rpartition(".")[2]:
                    self.put(a.name, new)
            return False

        def visit_Import(self, n):
            return False

        def visit_Name(self, n):
            par = self.get_metadata(ParentNodeProvider, n)
            if isinstance(par, cst.Attribute) and par.attr is n:
                return
            if isinstance(par, cst.Arg) and par.keyword is n:
                k = keywords.get(self.mod, {})
                pos = self.at(par.value)
                old = n.value
                who = k.get(pos)
                if old in attr_olds or old in param_olds:
                    if who is None:
                        report.append(f"{self.mod}:{pos[0]}: keyword {old}= not resolved")
                        return
                    for w in who:
                        if f"{w}.{old}" in targets:
                            self.put(n, targets[f"{w}.{old}"])
                            return
                        if (w, old) in m.locals:
                            self.put(n, m.locals[(w, old)])
                            return
                        if (f"{w}.__init__", old) in m.locals:
                            self.put(n, m.locals[(f"{w}.__init__", old)])
                            return
                return
            if isinstance(par, (cst.FunctionDef, cst.ClassDef)) and par.name is n:
                return
            if isinstance(par, cst.Param) and par.name is n:
                return
            for q in self.get_metadata(QualifiedNameProvider, n, set()) or ():
                name = q.name
                if q.source is QualifiedNameSource.LOCAL:
                    if ".<locals>" in name:
                        continue
                    full = f"{self.mod}.{name}"
                elif q.source is QualifiedNameSource.IMPORT:
                    full = resolve(name)
                else:
                    continue
                new = tops.get(full) or targets.get(full)
                if new and n.value == full.rpartition(".")[2]:
                    self.put(n, new)

        def visit_Attribute(self, n):
            old = n.attr.value
            for q in self.get_metadata(QualifiedNameProvider, n, set()) or ():
                if q.source is QualifiedNameSource.IMPORT:
                    full = resolve(q.name)
                    new = tops.get(full)
                    if new and old == full.rpartition(".")[2]:
                        self.put(n.attr, new)
                        return
            if old in attr_olds:
                pos = self.at(n.attr)
                found = members.get(self.mod, {}).get(pos)
                if found is None:
                    # untyped: rename only where every owner of that name is renamed alike
                    news = {targets.get(f"{o}.{old}") for o in owners[old]}
                    if len(news) == 1 and None not in news:
                        self.put(n.attr, next(iter(news)))
                        report.append(f"{self.mod}:{pos[0]}: untyped .{old} -> {next(iter(news))}")
                    else:
                        report.append(f"{self.mod}:{pos[0]}: untyped .{old}: LEFT ({news})")
                    return
                news = {targets.get(f) for f in found}
                if len(news) == 1:
                    new = next(iter(news))
                    if new:
                        self.put(n.attr, new)
                else:
                    report.append(f"{self.mod}:{pos[0]}: .{old} of several classes: LEFT ({found})")

        def visit_SimpleString(self, n):
            t = n.value.strip("rRbBfFuU").strip("'\"")
            if t in attr_olds:
                report.append(f"{self.mod}:{self.at(n)[0]}: string {n.value} is also a renamed attribute: LEFT")

    def _is_of(scope, fn):
        node = getattr(scope, "_node", None) or getattr(scope, "node", None)
        return node is fn if node is not None else scope.name == fn.name.value

    texts = {}
    need = [f for f in files]
    olds = {n.rpartition(".")[2] for n in tops} | attr_olds
    for f in files:
        text = pathlib.Path(f).read_text()
        mod = module_of(f)
        if not (
            any(o in text for o in olds)
            or any(fn.startswith(mod + ".") for fn in lv)
            or any(o + "=" in text for o in param_olds)
        ):
            continue
        w = MetadataWrapper(cst.parse_module(text))
        e = Edit(mod, text.splitlines())
        w.visit(e)
        parsed[f] = e.edits
    # keyword edits of parameters must agree with the functions that really have them: they were keyed by function name already
    for f, edits in parsed.items():
        lines = pathlib.Path(f).read_text().splitlines(keepends=True)
        for (line, col), (old, new) in sorted(edits.items(), reverse=True):
            s = lines[line - 1]
            assert s[col : col + len(old)] == old, (f, line, col, old, s)
            lines[line - 1] = s[:col] + new + s[col + len(old) :]
        texts[f] = "".join(lines)

    # ---- moves: imports of modules, dotted paths, file paths
    def new_dotted(path):
        parts = path.split(".")
        for k in range(len(parts), 0, -1):
            head = ".".join(parts[:k])
            rest = parts[k:]
            if head in modmove or head in mods:
                full = ".".join([head, *rest])
                if rest:
                    acc = []
                    cur = head
                    for r in rest:
                        cur = f"{cur}.{r}"
                        acc.append(tops.get(cur) or targets.get(cur) or r)
                    rest = acc
                return ".".join([modmove.get(head, head), *rest])
        return path

    pathmap = dict(final)
    for old, new in m.moves:
        if pathlib.Path(old).is_dir():
            pathmap[old] = new
    dotted = re.compile(r"\b(?:tui_app|support)(?:\.[A-Za-z_]\w*)+")
    slashed = re.compile(r"(?<![\w/.-])(?:[\w.-]+/)+[\w.-]+")

    def new_path(match):
        p = match.group(0)
        tail = ""
        while p and p[-1] in ".,;":
            tail = p[-1] + tail
            p = p[:-1]
        for prefix in ("", "tui_app/", "tests/"):
            full = prefix + p
            if full in pathmap:
                n = pathmap[full]
                return (n[len(prefix) :] if n.startswith(prefix) else n) + tail
            if full.endswith("/") and full[:-1] in pathmap:
                return pathmap[full[:-1]] + "/" + tail
        return match.group(0)

    def tails(text):
        """Old module path -> the name it is bound to from now on, where a new tail would be bound twice."""
        seen = collections.defaultdict(set)
        for n in ast.walk(ast.parse(text)):
            if isinstance(n, ast.ImportFrom) and n.module:
                for a in n.names:
                    full = f"{n.module}.{a.name}"
                    if full in modmove and not a.asname:
                        seen[modmove[full].rpartition(".")[2]].add(full)
                    elif (full in mods or True) and not a.asname:
                        seen[a.name].add(full)
        out = {}
        for tail, fulls in seen.items():
            moved = [x for x in fulls if x in modmove]
            if len(fulls) > 1:
                for x in moved:
                    parts = modmove[x].split(".")
                    system = parts[2] if parts[1] == "systems" else parts[-2]
                    out[x] = f"{system}_{tail}"
        return out

    def imports_fixed(text, f, alias):
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            raise SystemExit(f"{f}: {error}")
        lines = text.splitlines(keepends=True)
        todo = []
        renamed = {}
        for n in ast.walk(tree):
            if isinstance(n, ast.ImportFrom) and n.module and (n.module.split(".")[0] in ("tui_app", "support")):
                groups = collections.defaultdict(list)
                change = False
                for a in n.names:
                    full = f"{n.module}.{a.name}"
                    if full in modmove:
                        new = modmove[full]
                        parent, _, tail = new.rpartition(".")
                        change = change or parent != n.module or tail != a.name
                        groups[parent].append((tail, a.asname or alias.get(full)))
                        if tail != a.name and not a.asname:
                            renamed[a.name] = (tail, full)
                    else:
                        groups[n.module].append((a.name, a.asname))
                if change:
                    todo.append((n, groups))
        if not todo:
            return text, {}
        for n, groups in sorted(todo, key=lambda x: -x[0].lineno):
            ind = " " * n.col_offset
            new = "".join(
                f"{ind}from {hide(p)} import {', '.join(t + (f' as {a}' if a else '') for t, a in ns)}\n"
                for p, ns in groups.items()
            )
            first = lines[n.lineno - 1][: n.col_offset]
            assert not first.strip(), (f, n.lineno)
            endline = lines[n.end_lineno - 1]
            rest = endline[len(endline.encode()[: n.end_col_offset].decode()) :].strip()
            if rest:
                new = new.rstrip("\n") + "  " + rest + "\n"
            lines[n.lineno - 1 : n.end_lineno] = [new]
        return "".join(lines), renamed

    if modmove:
        for f in files:
            text = texts.get(f) or pathlib.Path(f).read_text()
            alias = tails(text)
            # uses of the module's bare name
            need_names = set()
            for n in ast.walk(ast.parse(text)):
                if isinstance(n, ast.ImportFrom) and n.module:
                    for a in n.names:
                        full = f"{n.module}.{a.name}"
                        if (
                            full in modmove
                            and (full in alias or modmove[full].rpartition(".")[2] != a.name)
                            and not a.asname
                        ):
                            need_names.add((a.name, full))
            if need_names:
                w = MetadataWrapper(cst.parse_module(text))
                edits = {}
                wanted = {full: (a, alias.get(full) or modmove[full].rpartition(".")[2]) for a, full in need_names}

                class Use(cst.CSTVisitor):
                    METADATA_DEPENDENCIES = (PositionProvider, QualifiedNameProvider, ParentNodeProvider)

                    def visit_ImportFrom(self, n):
                        return False

                    def visit_Name(self, n):
                        par = self.get_metadata(ParentNodeProvider, n)
                        if isinstance(par, cst.Attribute) and par.attr is n:
                            return
                        if isinstance(par, cst.Arg) and par.keyword is n:
                            return
                        for q in self.get_metadata(QualifiedNameProvider, n, set()) or ():
                            if (
                                q.source is QualifiedNameSource.IMPORT
                                and q.name in wanted
                                and n.value == wanted[q.name][0]
                            ):
                                p = self.get_metadata(PositionProvider, n).start
                                edits[(p.line, p.column)] = wanted[q.name]

                w.visit(Use())
                lines = text.splitlines(keepends=True)
                for (line, col), (old, new) in sorted(edits.items(), reverse=True):
                    s = lines[line - 1]
                    lines[line - 1] = s[:col] + new + s[col + len(old) :]
                text = "".join(lines)
            text, _ = imports_fixed(text, f, alias)
            texts[f] = text
    others = [
        p
        for p in subprocess.run(["git", "ls-files"], capture_output=True, text=True).stdout.split()
        if p.endswith((".md", ".toml", ".py", ".sql", ".tcss", ".cfg", "Makefile", ".svg.txt")) or p == ".ci/run"
    ]
    for p in others:
        try:
            text = texts.get(p) or pathlib.Path(p).read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue

        def reload(x):
            old = x.group(1).replace(".", "/") + "/" + x.group(2)
            if old in pathmap:
                new = pathlib.PurePath(pathmap[old])
                return f'load("{".".join(new.parts[:-1])}", "{new.name}")'
            return x.group(0)

        text0 = text
        text = re.sub(r'load\("([\w.]+)", "([\w.]+)"\)', reload, text)
        out = dotted.sub(lambda x: new_dotted(x.group(0)), text)
        out = slashed.sub(new_path, out).replace("\0", ".")
        if out != pathlib.Path(p).read_text():
            texts[p] = out
        else:
            texts.pop(p, None)
    for line in m.problems:
        print("PROBLEM", line)
    for line in report:
        print("note", line)
    if m.problems and "--force" not in sys.argv:
        sys.exit("nothing written")
    if dry:
        print(f"would change {len(texts)} files, move {len(final)}")
        return
    for f, t in texts.items():
        pathlib.Path(f).write_text(t)
    for o, n in final.items():
        pathlib.Path(n).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "mv", o, n], check=True)
    for n in list(final.values()):
        q = pathlib.Path(n).parent
        while q.parts and q.parts[0] == "tui_app":
            if not (q / "__init__.py").exists():
                (q / "__init__.py").write_text('"""TO BE DESCRIBED."""\n')
                print("new package", q)
                subprocess.run(["git", "add", str(q / "__init__.py")])
            q = q.parent
    made = {str(pathlib.Path(n).parent) for n in final.values()}
    for d in made:
        q = pathlib.Path(d)
        while q.parts and q.parts[0] == "tui_app":
            if q.is_dir() and any(q.glob("*.py")) and not (q / "__init__.py").exists():
                print("PACKAGE WITHOUT __init__:", q)
            q = q.parent
    print(f"changed {len(texts)} files, moved {len(final)}")


main()
