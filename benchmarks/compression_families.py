"""The fp32 models that ``benchmarks.compression`` makes smaller."""

from typing import Any

from benchmarks.compression_fields import DEEPFM, DNFM
from benchmarks.compression_pairs import NEUMF, PairFamily
from rsutils import settings

FAMILIES = {family.name: family for family in (NEUMF, DEEPFM, DNFM)}


def base(name: str, seed: int) -> Any:
    """The trained fp32 model of a family, kept in the build folder from one run to the next."""
    from rsutils.models import NCF
    from rsutils.models.fields import FieldModel

    family = FAMILIES[name]
    folder = settings.BUILD / "compression" / f"{name}_{seed}"
    if not folder.exists():
        family.trained(seed).save(folder)
    kind = NCF if isinstance(family, PairFamily) else FieldModel
    return kind.load(folder)
