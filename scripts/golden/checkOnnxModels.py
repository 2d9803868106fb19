#!/usr/bin/env python3
"""Runs the official ONNX checker over a folder of models and writes what it found.

    /usr/bin/python3 scripts/golden/checkOnnxModels.py FOLDER test/golden/onnxChecker.json

For each model: sha256 of its bytes, the verdict of `onnx.checker.check_model` with full
checks (strict shape inference included), the output types that `onnx.shape_inference`
finds once the declared ones are removed; for the larger models also every node,
attribute and tensor as Python reads them. Needs Debian's python3-onnx.
"""
import hashlib
import json
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper

DESCRIBED = {"decoder", "storage", "attributes"}
TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}


def dims_of(tensor_type):
    """Sizes; null where there is none."""
    return [d.dim_value if d.HasField("dim_value") else (d.dim_param or None) for d in tensor_type.shape.dim]


def typed(value):
    tensor_type = value.type.tensor_type
    return [TYPES.get(tensor_type.elem_type), dims_of(tensor_type) if tensor_type.HasField("shape") else None]


def element(x):
    """Integers as text (they exceed JSON's numbers), other numbers as hexadecimal float64 bits."""
    if isinstance(x, (int, np.integer, bool, np.bool_)):
        return str(int(x))
    return np.float64(x).tobytes()[::-1].hex() if not np.isnan(x) else "nan"


def tensor(t):
    array = numpy_helper.to_array(t)
    return {"type": TYPES[t.data_type], "shape": list(array.shape), "data": [element(x) for x in array.ravel().tolist()]}


def attribute(a):
    kind = onnx.AttributeProto.AttributeType.Name(a.type).lower()
    value = onnx.helper.get_attribute_value(a)
    if kind == "tensor":
        return [kind, tensor(value)]
    if kind == "graph":
        return [kind, graph(value)]
    if kind in ("string", "strings"):
        return [kind, value.decode() if kind == "string" else [v.decode() for v in value]]
    return [kind, element(value) if kind in ("int", "float") else [element(v) for v in value]]


def graph(g):
    return {
        "name": g.name,
        "inputs": {v.name: typed(v) for v in g.input},
        "outputs": {v.name: typed(v) for v in g.output},
        "valueInfo": {v.name: typed(v) for v in g.value_info},
        "initializers": {t.name: tensor(t) for t in g.initializer},
        "nodes": [
            {"name": n.name, "opType": n.op_type, "domain": n.domain, "inputs": list(n.input), "outputs": list(n.output), "attributes": {a.name: attribute(a) for a in n.attribute}}
            for n in g.node
        ],
    }


def examine(path, name):
    with open(path, "rb") as file:
        data = file.read()
    model = onnx.load_from_string(data)
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "irVersion": model.ir_version, "producer": model.producer_name, "opsets": {o.domain: o.version for o in model.opset_import}}
    try:
        onnx.checker.check_model(model, full_check=True)
        entry["verdict"] = "accepted"
    except Exception as error:  # whatever the checker says is the verdict
        entry["verdict"] = "refused: " + str(error).strip().split("\n")[0][:160]
    if name in DESCRIBED:
        entry["content"] = graph(model.graph)
    names = [v.name for v in model.graph.output]
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.output[:]
    bare.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names)
    inferred = onnx.shape_inference.infer_shapes(bare, data_prop=True)
    entry["inferred"] = {v.name: typed(v) for v in inferred.graph.output if v.type.HasField("tensor_type")}
    return entry


if __name__ == "__main__":
    folder, target = sys.argv[1:3]
    files = sorted(f for f in os.listdir(folder) if f.endswith(".onnx"))
    models = {f[: -len(".onnx")]: examine(os.path.join(folder, f), f[: -len(".onnx")]) for f in files}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}" for name, entry in models.items())
    with open(target, "w") as file:
        file.write('{"onnxVersion": "%s", "models": {\n%s\n}}\n' % (onnx.__version__, lines))
    refused = [f"{name}: {entry['verdict']}" for name, entry in models.items() if entry["verdict"] != "accepted"]
    print(f"{len(models) - len(refused)} of {len(models)} accepted")
    print("\n".join(refused))
