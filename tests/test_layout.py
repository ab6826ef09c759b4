"""Arrows point down, examples run, and no file says what it should not."""

import ast
import doctest
import importlib
import io
import pathlib
import re
import tokenize

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "tflottery"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [".".join(f.relative_to(PACKAGE.parent).with_suffix("").parts) for f in FILES]

# From the top. An import may point to the same layer or to one below.
LAYERS = [
  ["bin"],
  ["experiments"],
  ["callbacks"],
  ["algorithms", "learned"],
  ["structured"],
  ["analysis"],
  ["tickets"],
  ["export", "layers"],
  ["fitting"],
  ["training"],
  ["changing", "fits", "strategies", "criteria", "deconstructed", "rules", "probe"],
  ["site", "nodes", "step", "seeds", "schedules", "due", "durations", "learning_rates"],
  [
    "masks",
    "draws",
    "allocations",
    "granularity",
    "files",
    "images",
    "versions",
    "tfmot",
    "arguments",
  ],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def _name(file):
  parts = list(file.relative_to(PACKAGE.parent).with_suffix("").parts)
  return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(tree):
  """Dotted names of everything that a module imports."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, "write imports in full"
      yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own(file):
  """The modules of tflottery that `file` imports."""
  known = {_name(f) for f in FILES}
  for name in _imports(ast.parse(file.read_text())):
    if name.split(".")[0] == "tflottery":
      while name not in known:
        name = name.rpartition(".")[0]
      yield name


def _ids(file):
  return str(file.relative_to(PACKAGE))


def test_every_module_has_its_layer():
  assert FILES
  tops = {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in FILES}
  assert tops - {"__init__"} <= RANK.keys()


@pytest.mark.parametrize("file", FILES, ids=_ids)
def test_arrows_point_down(file):
  parts = _name(file).split(".")
  if parts == ["tflottery"]:
    return
  for name in _own(file):
    assert name != "tflottery", "nothing in the package imports the package as a whole"
    target = name.split(".")[1]
    assert RANK[target] >= RANK[parts[1]], f"{file.name} imports {name}, which stands above it"


def test_no_module_imports_itself_by_a_detour():
  graph = {_name(file): set(_own(file)) for file in FILES}

  def walk(name, way):
    assert name not in way, f"a circle: {[*way, name]}"
    for target in graph[name]:
      walk(target, [*way, name])

  for name in graph:
    walk(name, [])


@pytest.mark.parametrize("name", LAYERS[-1])
def test_the_bottom_knows_no_keras(name):
  file = PACKAGE / f"{name}.py"
  if not file.exists():
    assert name != "masks"
    return
  roots = {imported.split(".")[0] for imported in _imports(ast.parse(file.read_text()))}
  assert not roots & {"keras", "tf_keras"}


LOADS_TFMOT = {"schedules.py", "due.py"}


@pytest.mark.parametrize("file", FILES, ids=_ids)
def test_tfmot_is_imported_in_one_place_and_by_no_module_as_it_loads_but_the_schedules(file):
  tree = ast.parse(file.read_text())
  inside = {
    id(node)
    for function in ast.walk(tree)
    if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    for node in ast.walk(function)
  }
  for node in ast.walk(tree):
    if isinstance(node, (ast.Import, ast.ImportFrom)):
      names = set(_imports(node))
      roots = {name.split(".")[0] for name in names}
      assert "tensorflow_model_optimization" not in roots or file.name == "tfmot.py"
      if id(node) not in inside and file.name not in LOADS_TFMOT:
        assert "tensorflow_model_optimization" not in roots
        assert not any(re.match(r"tflottery\.(schedules|due|tfmot)\b", name) for name in names)


@pytest.mark.parametrize("file", FILES, ids=_ids)
def test_keras_is_never_reached_through_tensorflow(file):
  for node in ast.walk(ast.parse(file.read_text())):
    assert not (isinstance(node, ast.Attribute) and ast.unparse(node) == "tf.keras"), node.lineno
    assert not (
      isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tensorflow.keras")
    )


EVERY_TEXT = sorted(
  file
  for folder in ("tflottery", "tests", "configs", "benchmarks", "docs")
  for file in (PACKAGE.parent / folder).rglob("*")
  if file.suffix in (".py", ".md", ".toml")
)


@pytest.mark.parametrize("file", EVERY_TEXT, ids=lambda f: str(f.relative_to(PACKAGE.parent)))
def test_no_file_has_work_left_in_it_or_knows_a_machine(file):
  text = file.read_text()
  assert not re.search(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b", text)
  found = re.findall(r"(?<![\w.:/}])/(?:work|home|opt|root|Users|mnt)/\w+", text)
  assert not found, f"absolute paths: {found}"


@pytest.mark.parametrize("file", FILES, ids=_ids)
def test_no_code_is_commented_out(file):
  for token in tokenize.generate_tokens(io.StringIO(file.read_text()).readline):
    if token.type == tokenize.COMMENT:
      assert not re.match(r"#\s*(import |from \w+ import|def |return |print\()", token.string)


@pytest.mark.parametrize("module", sorted({_name(file) for file in FILES}))
def test_the_examples_of_the_docstrings_run(module, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  failed, _ = doctest.testmod(importlib.import_module(module))
  assert failed == 0


def test_the_public_functions_have_examples():
  finder = doctest.DocTestFinder()
  tflottery = importlib.import_module("tflottery")
  public = [getattr(tflottery, name) for name in ("find_ticket", "sites", "hold")]
  public += [tflottery.callbacks.HoldMasks, tflottery.Ticket.capture, tflottery.Ticket.callback]
  public += [getattr(tflottery.structured, name) for name in tflottery.structured.__all__]
  public += [tflottery.callbacks.EarlyBird, tflottery.callbacks.Slimming]
  public += [
    tflottery.callbacks.Gradual,
    tflottery.supermask,
    tflottery.edge_popup,
    tflottery.variational_dropout,
    tflottery.l0,
    tflottery.callbacks.LearnedMasks,
    tflottery.freeze,
  ]
  public += [getattr(tflottery.learned, name) for name in tflottery.learned.__all__]
  public += [tflottery.Ticket.transfer, tflottery.images.to_shape]
  for thing in public:
    assert any(test.examples for test in finder.find(thing)), thing
