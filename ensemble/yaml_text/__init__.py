"""YAML files that people write: read as plain data with line numbers, and written back.

Only ruamel.yaml's parser is used, never its constructors: no tag can make an object. Scalars follow YAML 1.2's core
schema: ``1e-3`` is a number, ``off`` and ``12:30`` are text. Anchors work; tags, merge keys, a second document and a
key given twice are errors. Keys are always text, exactly as written.

Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from ensemble.yaml_text.reading import YamlDocument, load_yaml, parse_yaml_value
from ensemble.yaml_text.writing import describe, dump_yaml, flow_text

__all__ = ["YamlDocument", "describe", "dump_yaml", "flow_text", "load_yaml", "parse_yaml_value"]
