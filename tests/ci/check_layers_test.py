"""The layer check, held to a small house made for it."""
import importlib.util
import pathlib
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("check_layers", ROOT / ".ci/check_layers.py")
check_layers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_layers)

CMAKE = """
sst_library(core LINK fmt::fmt)
sst_library(recipe DEPENDS core LINK yaml-cpp)
sst_library(tensor TORCH DEPENDS recipe)
sst_library(nn TORCH DEPENDS tensor)
sst_library(methods TORCH DEPENDS nn)
sst_library(models TORCH DEPENDS nn)
"""


class CheckLayersTest(unittest.TestCase):
    def offences(self, path, line):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "lib").mkdir()
            (root / "lib/CMakeLists.txt").write_text(CMAKE)
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(f"#pragma once\n{line}\n")
            return check_layers.offences(root)[1]

    def assert_refused(self, path, line, reason):
        found = self.offences(path, line)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{path}:2: "), found[0])
        self.assertIn(reason, found[0])

    def test_an_include_along_the_arrows_is_allowed(self):
        self.assertEqual(self.offences("lib/nn/a.hpp", '#include "nn/b.hpp"'), [])
        self.assertEqual(self.offences("lib/nn/a.hpp", '#include "core/error.hpp"'), [])  # through tensor and recipe
        self.assertEqual(self.offences("lib/nn/a.hpp", "#include <torch/types.h>"), [])
        self.assertEqual(self.offences("apps/sst_train/main.cpp", '#include "models/model.hpp"'), [])

    def test_an_include_against_the_arrows_is_refused(self):
        self.assert_refused("lib/tensor/a.cpp", '#include "nn/linear.hpp"', "not nn")
        self.assert_refused("lib/methods/a.cpp", '#include "models/model.hpp"', "not models")
        self.assert_refused("lib/models/a.cpp", "#  include <methods/method.hpp>", "not methods")

    def test_libtorch_is_refused_in_a_library_without_it(self):
        self.assert_refused("lib/core/a.cpp", "#include <torch/types.h>", "no LibTorch")
        self.assert_refused("lib/recipe/a.hpp", "#include <ATen/ATen.h>", "no LibTorch")

    def test_all_of_libtorch_is_refused_in_a_header_but_the_precompiled_one(self):
        self.assert_refused("lib/nn/a.hpp", "#include <torch/torch.h>", "never all of LibTorch")
        self.assertEqual(self.offences("lib/tensor/pch.hpp", "#include <torch/torch.h>"), [])
        self.assertEqual(self.offences("lib/nn/a.cpp", "#include <torch/torch.h>"), [])

    def test_spdlog_and_catch2_have_one_door_each(self):
        self.assert_refused("lib/core/file.cpp", "#include <spdlog/spdlog.h>", "core/log.hpp")
        self.assertEqual(self.offences("lib/core/log.cpp", "#include <spdlog/spdlog.h>"), [])
        self.assert_refused("tests/core/a_test.cpp", "#include <catch2/catch.hpp>", "tests/support/catch.hpp")
        self.assertEqual(self.offences("tests/support/catch.hpp", "#include <catch2/catch.hpp>"), [])

    def test_an_include_that_does_not_start_at_lib_is_refused(self):
        self.assert_refused("lib/nn/a.cpp", '#include "../tensor/shape.hpp"', '".."')
        self.assert_refused("tests/nn/a_test.cpp", '#include "../support/catch.hpp"', '".."')
        self.assert_refused("lib/nn/a.cpp", '#include "linear.hpp"', '"nn/linear.hpp"')

    def test_a_folder_without_a_library_line_is_refused(self):
        found = self.offences("lib/text/a.cpp", "#include <string>")
        self.assertEqual(len(found), 1)
        self.assertIn("no sst_library() line", found[0])

    def test_the_sources_of_this_checkout_keep_the_rules(self):
        count, found = check_layers.offences(ROOT)
        self.assertGreater(count, 0)
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
