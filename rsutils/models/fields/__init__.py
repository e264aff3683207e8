"""Models of rows of categorical fields: FM, NFM, DNN, DeepFM, DNFM, DLRM, DCN."""

from rsutils import lazy

_MODULE_OF = {
    "KERAS_RS": "networks",
    "KINDS": "networks",
    "FieldConfig": "networks",
    "FieldModel": "model",
    "build": "networks",
}

__all__ = [*_MODULE_OF]

__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF)
