"""`__all__` is what is exported: nothing missing, nothing made up."""

import ast

import pytest

import omium
from tests.house import tree


def read_all(module: ast.Module) -> list[str] | None:
    """Return the module's literal `__all__`, None if it declares none."""
    for node in module.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return None


def list_bound_names(module: ast.Module) -> set[str]:
    """Return every name that the module's top level binds, imports included."""
    names: set[str] = set()
    for node in ast.walk(module):
        match node:
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {(alias.asname or alias.name).split(".")[0] for alias in aliases}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
    return names


def list_public_definitions(module: ast.Module) -> set[str]:
    """Return the public classes and functions that the module itself defines at its top level."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in module.body if isinstance(node, kinds) and not node.name.startswith("_")}


DECLARING = [(name, module) for name, module, _ in tree.list_modules() if read_all(module) is not None]


@pytest.mark.parametrize(("name", "module"), DECLARING, ids=[name for name, _ in DECLARING])
def test_all_names_what_the_module_defines_and_nothing_else(name, module):
    declared = read_all(module)
    lazy = name == "omium/__init__.py"  # its names come from a table; the test below loads each one

    assert len(declared) == len(set(declared))
    assert lazy or set(declared) <= list_bound_names(module)
    assert list_public_definitions(module) <= set(declared)


def test_every_public_name_of_the_package_can_be_loaded():
    missing = [name for name in omium.__all__ if not hasattr(omium, name)]

    assert missing == []


def test_dir_shows_every_public_name():
    assert set(omium.__all__) <= set(dir(omium))


def test_a_name_that_does_not_exist_raises_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = omium.no_such_name


def test_the_version_is_a_release_number():
    assert [part.isdigit() for part in omium.__version__.split(".")] == [True, True, True]
