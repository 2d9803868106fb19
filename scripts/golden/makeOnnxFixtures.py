#!/usr/bin/env python3
"""Writes ONNX models made by the official Python package, for the reader's tests.

Independent of our code: the protobuf bytes come from `onnx.helper`, the expected
tensors from `onnx.numpy_helper`, the expected outputs from NumPy in float64.

    /usr/bin/python3 scripts/golden/makeOnnxFixtures.py test/golden/fixtures

Needs Debian's python3-onnx (made with 1.12.0). Writes *.onnx, externalWeights.bin and
onnxFixtures.json; deterministic.
"""
import json
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

INT64_MAX = 2**63 - 1
expected = {}


def save(folder, name, graph, opset, ir=8, **info):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir, producer_name="python")
    if not info.pop("skip_check", False):
        onnx.checker.check_model(model, full_check=True)
    with open(os.path.join(folder, name + ".onnx"), "wb") as file:
        file.write(model.SerializeToString())
    expected[name] = info


def numbers(array):
    array = np.asarray(array)
    return {"shape": list(array.shape), "data": [float(x) for x in array.astype(np.float64).ravel()]}


def const(name, array):
    return helper.make_node("Constant", [], [name], name=name + "_node", value=numpy_helper.from_array(np.asarray(array)))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def mlp(folder):
    """x -> MatMul, Add, Relu -> Gemm (transB) -> Softmax; weights are initializers."""
    rng = np.random.RandomState(0)
    w1, b1 = rng.randn(8, 16).astype(np.float32) * 0.3, rng.randn(16).astype(np.float32) * 0.1
    w2, b2 = rng.randn(4, 16).astype(np.float32) * 0.3, rng.randn(4).astype(np.float32) * 0.1
    x = rng.randn(5, 8).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "fc1.weight"], ["/fc1/MatMul_output_0"], name="/fc1/MatMul"),
        helper.make_node("Add", ["fc1.bias", "/fc1/MatMul_output_0"], ["/fc1/Add_output_0"], name="/fc1/Add"),
        helper.make_node("Relu", ["/fc1/Add_output_0"], ["/Relu_output_0"], name="/Relu"),
        helper.make_node("Gemm", ["/Relu_output_0", "fc2.weight", "fc2.bias"], ["/fc2/Gemm_output_0"], name="/fc2/Gemm", alpha=1.0, beta=1.0, transB=1),
        helper.make_node("Softmax", ["/fc2/Gemm_output_0"], ["probabilities"], name="/Softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes, "main_graph",
        [helper.make_tensor_value_info("x", T.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("probabilities", T.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(a, n) for n, a in [("fc1.weight", w1), ("fc1.bias", b1), ("fc2.weight", w2), ("fc2.bias", b2)]],
    )
    h = np.maximum(x.astype(np.float64) @ w1 + b1, 0)
    save(folder, "mlp", graph, 13, feeds={"x": numbers(x)}, outputs={"probabilities": numbers(softmax(h @ w2.T.astype(np.float64) + b2))})


def exported_attention(folder):
    """Causal self-attention with dynamic axes, in the shape arithmetic that exporters write."""
    rng = np.random.RandomState(1)
    heads, size = 2, 4
    width = heads * size
    wqkv = rng.randn(width, 3 * width).astype(np.float32) * 0.3
    x = rng.randn(2, 5, width).astype(np.float32)
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], name="/Shape"),
        const("zero", np.int64(0)), const("one", np.int64(1)),
        helper.make_node("Gather", ["shape", "zero"], ["batch_size"], name="/Gather", axis=0),
        helper.make_node("Gather", ["shape", "one"], ["tokens"], name="/Gather_1", axis=0),
        const("axis0", np.array([0], np.int64)), const("heads", np.array([heads], np.int64)), const("minus", np.array([-1], np.int64)),
        helper.make_node("Unsqueeze", ["batch_size", "axis0"], ["batch_1d"], name="/Unsqueeze"),
        helper.make_node("Unsqueeze", ["tokens", "axis0"], ["tokens_1d"], name="/Unsqueeze_1"),
        helper.make_node("Concat", ["batch_1d", "tokens_1d", "heads", "minus"], ["split_shape"], name="/Concat", axis=0),
        helper.make_node("MatMul", ["x", "wqkv"], ["qkv"], name="/qkv/MatMul"),
    ]
    for i, part in enumerate("qkv"):
        nodes += [
            const(part + "_start", np.array([i * width], np.int64)),
            const(part + "_end", np.array([(i + 1) * width if i < 2 else INT64_MAX], np.int64)),
            const(part + "_axis", np.array([2], np.int64)),
            helper.make_node("Slice", ["qkv", part + "_start", part + "_end", part + "_axis"], [part + "_flat"], name=f"/{part}/Slice"),
            helper.make_node("Reshape", [part + "_flat", "split_shape"], [part + "_heads"], name=f"/{part}/Reshape"),
            helper.make_node("Transpose", [part + "_heads"], [part], name=f"/{part}/Transpose", perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3]),
        ]
    nodes += [
        helper.make_node("MatMul", ["q", "k"], ["scores_raw"], name="/MatMul"),
        # sqrt(head size), computed from the shape as exporters do
        helper.make_node("Shape", ["q"], ["q_shape"], name="/Shape_1"),
        const("last", np.int64(-1)),
        helper.make_node("Gather", ["q_shape", "last"], ["head_size"], name="/Gather_2", axis=0),
        helper.make_node("Cast", ["head_size"], ["head_size_f"], name="/Cast", to=T.FLOAT),
        helper.make_node("Sqrt", ["head_size_f"], ["scale"], name="/Sqrt"),
        helper.make_node("Div", ["scores_raw", "scale"], ["scores"], name="/Div"),
        # causal mask: position of key <= position of query
        helper.make_node("Range", ["zero", "tokens", "one"], ["positions"], name="/Range"),
        const("axis1", np.array([1], np.int64)),
        helper.make_node("Unsqueeze", ["positions", "axis1"], ["rows"], name="/Unsqueeze_2"),
        helper.make_node("LessOrEqual", ["positions", "rows"], ["visible"], name="/LessOrEqual"),
        # Expand through ConstantOfShape, Mul, Equal, Where: what `expand(-1, …)` exports as
        helper.make_node("Concat", ["tokens_1d", "minus"], ["wanted"], name="/Concat_1", axis=0),
        const("two", np.array([2], np.int64)),
        helper.make_node("ConstantOfShape", ["two"], ["ones_like"], name="/ConstantOfShape", value=helper.make_tensor("v", T.INT64, [1], [1])),
        helper.make_node("Mul", ["ones_like", "minus"], ["minus_ones"], name="/Mul"),
        helper.make_node("Equal", ["wanted", "minus_ones"], ["is_minus"], name="/Equal"),
        helper.make_node("Where", ["is_minus", "ones_like", "wanted"], ["mask_shape"], name="/Where"),
        helper.make_node("Expand", ["visible", "mask_shape"], ["mask"], name="/Expand"),
        const("low", np.float32(-1e9)),
        helper.make_node("Where", ["mask", "scores", "low"], ["masked"], name="/Where_1"),
        helper.make_node("Softmax", ["masked"], ["weights"], name="/Softmax", axis=-1),
        helper.make_node("MatMul", ["weights", "v"], ["mixed"], name="/MatMul_1"),
        helper.make_node("Transpose", ["mixed"], ["mixed_t"], name="/Transpose", perm=[0, 2, 1, 3]),
        const("width", np.array([width], np.int64)),
        helper.make_node("Concat", ["batch_1d", "tokens_1d", "width"], ["merge_shape"], name="/Concat_2", axis=0),
        helper.make_node("Reshape", ["mixed_t", "merge_shape"], ["y"], name="/Reshape"),
    ]
    graph = helper.make_graph(
        nodes, "main_graph",
        [helper.make_tensor_value_info("x", T.FLOAT, ["batch", "sequence", width])],
        [helper.make_tensor_value_info("y", T.FLOAT, ["batch", "sequence", width])],
        [numpy_helper.from_array(wqkv, "wqkv")],
    )
    q, k, v = np.split(x.astype(np.float64) @ wqkv, 3, -1)
    q, k, v = [t.reshape(2, 5, heads, size).transpose(0, 2, 1, 3) for t in (q, k, v)]
    scores = np.where(np.tri(5, dtype=bool), q @ k.transpose(0, 1, 3, 2) / np.sqrt(size), -1e9)
    y = (softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(2, 5, width)
    save(folder, "exportedAttention", graph, 13, feeds={"x": numbers(x)}, outputs={"y": numbers(y)},
         shapes={"q_heads": ["batch", "sequence", 2, 4], "weights": ["batch", 2, "sequence", "sequence"], "mask": ["sequence", "sequence"], "y": ["batch", "sequence", 8]})


def tensor_forms(folder):
    """Every storage form of a tensor: raw bytes, typed lists, packed or not by proto rules."""
    tensors, values = [], {}
    arrays = {
        "float32": (T.FLOAT, np.array([[1.5, -0.0, 3.25], [1e-30, -2e20, 7]], np.float32)),
        "float64": (T.DOUBLE, np.array([1.1, -2.2, 1e300])),
        "float16": (T.FLOAT16, np.array([1.5, -2.25, 65504], np.float16)),
        "int32": (T.INT32, np.array([1, -2, 2**31 - 1, -(2**31)], np.int32)),
        "int64": (T.INT64, np.array([1, -2, 2**53, -(2**40)], np.int64)),
        "uint8": (T.UINT8, np.array([0, 1, 255], np.uint8)),
        "int8": (T.INT8, np.array([0, -128, 127], np.int8)),
        "bool": (T.BOOL, np.array([True, False, True])),
    }
    for kind, (code, array) in arrays.items():
        raw = numpy_helper.from_array(array, kind + ".raw")
        assert raw.HasField("raw_data")
        flat = array.ravel()
        vals = flat.view(np.uint16).tolist() if kind == "float16" else flat.tolist()
        typed = helper.make_tensor(kind + ".typed", code, array.shape, flat.tolist() if kind == "float16" else vals)
        assert not typed.HasField("raw_data")
        tensors += [raw, typed]
        for tensor in (raw, typed):
            back = numpy_helper.to_array(tensor)
            assert (back == array).all() and back.shape == array.shape
            values[tensor.name] = {"type": kind, **numbers(array)}
    scalar = numpy_helper.from_array(np.float32(4.5), "scalar")
    empty = numpy_helper.from_array(np.zeros((0, 3), np.float32), "empty")
    empty_typed = helper.make_tensor("empty.typed", T.INT64, [2, 0], [])
    tensors += [scalar, empty, empty_typed]
    values["scalar"] = {"type": "float32", **numbers(np.float32(4.5))}
    values["empty"] = {"type": "float32", **numbers(np.zeros((0, 3)))}
    values["empty.typed"] = {"type": "int64", **numbers(np.zeros((2, 0)))}
    nodes = [helper.make_node("Identity", ["float32.raw"], ["y"], name="identity")]
    graph = helper.make_graph(nodes, "forms", [], [helper.make_tensor_value_info("y", T.FLOAT, [2, 3])], tensors)
    save(folder, "tensorForms", graph, 17, initializers=values)


def control(folder):
    """Loop (carried sum, scanned output, captured outer value) and If; bodies declare no shapes."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_out"], name="keep"),
            helper.make_node("Add", ["sum", "step_size"], ["sum_out"], name="add"),
            helper.make_node("Mul", ["sum_out", "x"], ["scanned"], name="scan"),
            helper.make_node("Concat", ["list", "sum_out"], ["list_out"], name="grow", axis=0),
        ],
        "body",
        [helper.make_tensor_value_info("i", T.INT64, []), helper.make_tensor_value_info("go", T.BOOL, []),
         helper.make_tensor_value_info("sum", T.FLOAT, None), helper.make_tensor_value_info("list", T.FLOAT, None)],
        [helper.make_tensor_value_info("go_out", T.BOOL, None), helper.make_tensor_value_info("sum_out", T.FLOAT, None),
         helper.make_tensor_value_info("list_out", T.FLOAT, None), helper.make_tensor_value_info("scanned", T.FLOAT, None)],
    )
    then = helper.make_graph([helper.make_node("Neg", ["total"], ["negated"], name="neg")], "then", [], [helper.make_tensor_value_info("negated", T.FLOAT, None)])
    other = helper.make_graph([helper.make_node("Abs", ["total"], ["positive"], name="abs")], "else", [], [helper.make_tensor_value_info("positive", T.FLOAT, None)])
    nodes = [
        const("trips", np.int64(3)), const("yes", np.bool_(True)), const("step_size", np.array([0.5, 1], np.float32)),
        helper.make_node("Loop", ["trips", "yes", "x", "x"], ["total", "grown", "all"], name="loop", body=body),
        helper.make_node("ReduceSum", ["total"], ["sum_total"], name="sum", keepdims=0),
        const("limit", np.float32(100)),
        helper.make_node("Less", ["sum_total", "limit"], ["small"], name="less"),
        helper.make_node("If", ["small"], ["result"], name="if", then_branch=then, else_branch=other),
    ]
    graph = helper.make_graph(
        nodes, "main", [helper.make_tensor_value_info("x", T.FLOAT, [2])],
        [helper.make_tensor_value_info("result", T.FLOAT, [2]), helper.make_tensor_value_info("all", T.FLOAT, [3, 2]), helper.make_tensor_value_info("grown", T.FLOAT, ["length"])],
    )
    x = np.array([1.0, -2.0])
    sums = [x + (i + 1) * np.array([0.5, 1]) for i in range(3)]
    save(folder, "control", graph, 16, feeds={"x": numbers(x)},
         outputs={"result": numbers(-sums[-1]), "all": numbers(np.stack([s * x for s in sums])), "grown": numbers(np.concatenate([x, *sums]))})


def legacy(folder):
    """IR version 3, operator set 9: initializers among the inputs, parameters as attributes."""
    rng = np.random.RandomState(2)
    w = rng.randn(6, 3).astype(np.float32)
    x = rng.randn(2, 1, 6).astype(np.float32)
    nodes = [
        helper.make_node("Squeeze", ["x"], ["x2"], axes=[1]),
        helper.make_node("Dropout", ["x2"], ["kept"], ratio=0.5),
        helper.make_node("MatMul", ["kept", "w"], ["h"]),
        helper.make_node("Slice", ["h"], ["tail"], axes=[1], starts=[1], ends=[INT64_MAX]),
        helper.make_node("ReduceSum", ["tail"], ["s"], axes=[1], keepdims=1),
        helper.make_node("Reshape", ["s", "target"], ["r"]),
        helper.make_node("Unsqueeze", ["r"], ["y"], axes=[0, 2]),
    ]
    graph = helper.make_graph(
        nodes, "legacy",
        [helper.make_tensor_value_info("x", T.FLOAT, [2, 1, 6]), helper.make_tensor_value_info("w", T.FLOAT, [6, 3]), helper.make_tensor_value_info("target", T.INT64, [1])],
        [helper.make_tensor_value_info("y", T.FLOAT, [1, 2, 1])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(np.array([-1], np.int64), "target")],
    )
    y = (x[:, 0].astype(np.float64) @ w)[:, 1:].sum(1).reshape(1, 2, 1)
    save(folder, "legacy", graph, 9, ir=3, feeds={"x": numbers(x)}, outputs={"y": numbers(y)})


def external(folder):
    """A weight whose bytes lie in another file, at an offset."""
    w = np.arange(6, dtype=np.float32).reshape(2, 3) / 4
    tensor = T(name="w", data_type=T.FLOAT, dims=[2, 3], data_location=T.EXTERNAL)
    for key, value in [("location", "externalWeights.bin"), ("offset", "16"), ("length", "24")]:
        tensor.external_data.add(key=key, value=value)
    with open(os.path.join(folder, "externalWeights.bin"), "wb") as file:
        file.write(b"\xff" * 16 + w.tobytes() + b"\xff" * 8)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")], "external",
        [helper.make_tensor_value_info("x", T.FLOAT, [1, 2])], [helper.make_tensor_value_info("y", T.FLOAT, [1, 3])], [tensor],
    )
    x = np.array([[1.0, 2.0]])
    save(folder, "external", graph, 17, skip_check=True, feeds={"x": numbers(x)}, outputs={"y": numbers(x @ w.astype(np.float64))})


def unknown_operator(folder):
    """An operator of an unknown domain whose result the file itself declares, and one inference cannot size."""
    nodes = [
        helper.make_node("Magic", ["x"], ["m"], name="magic", domain="my.domain", flavour="sweet", amounts=[0.5, 2.0], words=["a", "bc"]),
        helper.make_node("Reshape", ["m", "target"], ["y"], name="reshape"),
        helper.make_node("Relu", ["y"], ["z"], name="relu"),
    ]
    graph = helper.make_graph(
        nodes, "unknown",
        [helper.make_tensor_value_info("x", T.FLOAT, ["n", 3]), helper.make_tensor_value_info("target", T.INT64, [2])],
        [helper.make_tensor_value_info("z", T.FLOAT, ["n", 6])],
        value_info=[helper.make_tensor_value_info("m", T.FLOAT, ["n", 2, 3]), helper.make_tensor_value_info("y", T.FLOAT, ["n", 6])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("my.domain", 3)], ir_version=8)
    model.metadata_props.add(key="note", value="skipped")
    with open(os.path.join(folder, "unknownOperator.onnx"), "wb") as file:
        file.write(model.SerializeToString())
    expected["unknownOperator"] = {"shapes": {"m": ["n", 2, 3], "y": ["n", 6], "z": ["n", 6]}}


if __name__ == "__main__":
    target = sys.argv[1]
    os.makedirs(target, exist_ok=True)
    for make in (mlp, exported_attention, tensor_forms, control, legacy, external, unknown_operator):
        make(target)
    expected["onnxVersion"] = onnx.__version__
    with open(os.path.join(target, "onnxFixtures.json"), "w") as file:
        json.dump(expected, file, indent=1, allow_nan=False)
        file.write("\n")
