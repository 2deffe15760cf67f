"""What every preprocessor must do."""

from __future__ import annotations

from calozoo.testing import PreprocessorContract


class TestFraction(PreprocessorContract):
    name = "fraction"
    tolerance = 1e-6


class TestLog(PreprocessorContract):
    name = "log"
    tolerance = 5e-6


class TestLogScaled(PreprocessorContract):
    name = "log_scaled"
    tolerance = 5e-6


class TestLayers(PreprocessorContract):
    name = "layers"
    tolerance = 2e-5
