"""Models of rows of categorical fields: FM, NFM, DNN, DeepFM, DNFM, DLRM, DCN."""

from rsutils.models.fields.model import FieldModel
from rsutils.models.fields.networks import KERAS_RS, KINDS, FieldConfig, build

__all__ = ["KERAS_RS", "KINDS", "FieldConfig", "FieldModel", "build"]
