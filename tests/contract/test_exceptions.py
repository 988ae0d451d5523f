"""The vocabulary of exception classes, and the script that refreshes it."""

from pathlib import Path

from app.contract.vocabulary import EXCEPTION_CLASSES
from tests.contract.exceptions import find_exceptions

# Of PyAirbyte 0.71 the first, of 1.0 the rest.
GENERATIONS = """
AirbyteError AirbyteConnectionSyncError AirbyteConnectorFailedError PyAirbyteError PyAirbyteInputError

AirbyteLibError AirbyteLibNameNormalizationError AirbyteCloudApiError AirbyteCloudConnectionError
AirbyteCloudError AirbyteConnectorInUseError AirbyteConnectorNotReadyError AirbyteDeletionGuardError
AirbyteDestructiveToolsDisabledError
AirbyteExternalAccessDisabledError AirbyteExternalAccessNotEnabledError AirbyteLocalDemoModeError
AirbytePipelineChangesDisabledError AirbyteReadOnlyModeError AirbyteLibWarning AirbyteLibDataLossWarning
SQLTypeConversionError SafeModeError
"""


def test_both_generations_of_pyairbyte_are_known() -> None:
    assert set(GENERATIONS.split()) - EXCEPTION_CLASSES == set()


def test_exceptions_are_found_by_their_bases_however_far_away(tmp_path: Path) -> None:
    package = tmp_path / "lib" / "python3.13" / "site-packages" / "airbyte"
    (package / "_util").mkdir(parents=True)
    (package / "tests").mkdir()
    (package / "tests" / "test_it.py").write_text("class OfATest(Exception): pass")
    (package / "broken.py").write_text("class {{ name }}(Exception): pass")
    (package / "exceptions.py").write_text(
        "from . import _util\nclass Farther(_util.far.Far): pass\nclass _Private(ValueError): "
        "pass\nclass Plain: pass"
    )
    (package / "_util" / "far.py").write_text("class Far(OSError, Plain): pass")
    assert find_exceptions([tmp_path]) == {"Far", "Farther"}
