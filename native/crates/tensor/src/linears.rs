//! Linear layers without bias that share their input: queries, keys and values of one block, or gate and up. Their
//! outputs lie side by side in the rows of one matrix, so the input is read and packed once for all of them.

use crate::context::{Context, Purpose};
use crate::element::{Floats, FloatsMut};
use crate::gemm::{
    FEW_ROWS, Inputs, Left, Matrix, Output, Packed, Plus, gemm, gemm_packed, gemm_packed_each,
    pack, pack_beside, pack_stacked, panel_columns,
};
use crate::swiglu::swiglu_rows;

/// A weight [outputs, inputs].
#[derive(Clone, Copy)]
pub struct Weight<'a> {
    pub data: Floats<'a>,
    pub outputs: usize,
}

fn outputs(weights: &[Weight]) -> usize {
    weights.iter().map(|weight| weight.outputs).sum()
}

/// y[rows, sum of outputs] = x[rows, inputs] Wᵀ side by side, plus what `plus` holds in the same layout.
pub fn forward(
    context: &Context,
    x: Floats,
    weights: &[Weight],
    y: FloatsMut,
    plus: Plus,
    rows: usize,
    inputs: usize,
) {
    let width = outputs(weights);
    assert!(x.len() >= rows * inputs && y.len() >= rows * width);
    let x = Matrix::rows(x, inputs);
    let columns = panel_columns(context.isa);
    let whole = |weight: &Weight| weight.outputs.is_multiple_of(columns);
    if rows > FEW_ROWS && weights.len() > 1 && weights[..weights.len() - 1].iter().all(whole) {
        let parts: Vec<_> = weights
            .iter()
            .map(|weight| (Matrix::columns(weight.data, inputs), weight.outputs))
            .collect();
        let packed = pack_beside(context, inputs, &parts, Purpose::PackedB);
        let out = Output {
            c: y,
            stride: width,
            plus,
        };
        return gemm_packed(context, rows, x, packed, out);
    }
    let mut y = y;
    let mut at = 0;
    for weight in weights {
        let plus = match plus {
            Plus::Rows(rows) => Plus::Rows(rows.from(at)),
            other => other,
        };
        let out = Output {
            c: y.rest(at),
            stride: width,
            plus,
        };
        let turned = Matrix::columns(weight.data, inputs);
        gemm(context, rows, weight.outputs, inputs, x, turned, out);
        at += weight.outputs;
    }
}

/// y[rows, outputs] = silu(gate) up Wᵀ + plus, of gate and up side by side in rows of 2 * inputs.
pub fn gated_forward(
    context: &Context,
    gate_up: Floats,
    weight: Weight,
    y: FloatsMut,
    plus: Plus,
    rows: usize,
    inputs: usize,
) {
    assert!(gate_up.len() >= 2 * rows * inputs && y.len() >= rows * weight.outputs);
    let out = Output {
        c: y,
        stride: weight.outputs,
        plus,
    };
    let turned = Matrix::columns(weight.data, inputs);
    if rows > FEW_ROWS {
        let gated = Matrix::gated(gate_up, inputs);
        return gemm(context, rows, weight.outputs, inputs, gated, turned, out);
    }
    // A few rows are not packed.
    let narrow = matches!(gate_up, Floats::Bf16(_));
    let words = unsafe { context.shared_scratch(Purpose::Inputs, rows * inputs) };
    let mut product = FloatsMut::within(words, narrow, rows * inputs);
    swiglu_rows(context, gate_up, product.rest(0), rows, inputs);
    let product = product.into_inputs();
    let product = Matrix::rows(product, inputs);
    gemm(context, rows, weight.outputs, inputs, product, turned, out);
}

/// dx[rows, inputs] = dy W, summed over the layers; or dx += with `add`.
pub fn input_gradient(
    context: &Context,
    dy: Floats,
    weights: &[Weight],
    dx: FloatsMut,
    rows: usize,
    inputs: usize,
    add: bool,
) {
    let width = outputs(weights);
    assert!(dy.len() >= rows * width && dx.len() >= rows * inputs);
    let step = Inputs::of(context).depth_step();
    let last = weights.len() - 1;
    if weights[..last]
        .iter()
        .all(|weight| weight.outputs.is_multiple_of(step))
    {
        let parts: Vec<_> = weights
            .iter()
            .map(|weight| (Matrix::rows(weight.data, inputs), weight.outputs))
            .collect();
        let packed = pack_stacked(context, inputs, &parts, Purpose::PackedB);
        let out = Output::new(dx, inputs, add);
        return gemm_packed(context, rows, Matrix::rows(dy, width), packed, out);
    }
    let mut dx = dx;
    let mut at = 0;
    for weight in weights {
        let (left, right) = (
            Matrix::rows(dy.from(at), width),
            Matrix::rows(weight.data, inputs),
        );
        let out = Output::new(dx.rest(0), inputs, add || at > 0);
        gemm(context, rows, inputs, weight.outputs, left, right, out);
        at += weight.outputs;
    }
}

/// Where the gradient of one weight goes, and whether it is added to what is there.
pub struct WeightGradient<'a> {
    pub to: Option<&'a mut [f32]>,
    pub outputs: usize,
    pub add: bool,
}

/// dW[outputs, inputs] = dyᵀ x of every layer.
pub fn weight_gradient(
    context: &Context,
    dy: Floats,
    x: Floats,
    gradients: Vec<WeightGradient>,
    rows: usize,
    inputs: usize,
) {
    let width: usize = gradients.iter().map(|gradient| gradient.outputs).sum();
    assert!(dy.len() >= rows * width && x.len() >= rows * inputs);
    let packed = pack(
        context,
        rows,
        inputs,
        Matrix::rows(x, inputs),
        Purpose::PackedB,
    );
    weight_gradient_packed(context, dy, packed, gradients);
}

/// As `weight_gradient`, of layers whose x is packed already: `packed` is x[rows, inputs].
pub fn weight_gradient_packed(
    context: &Context,
    dy: Floats,
    packed: Packed,
    gradients: Vec<WeightGradient>,
) {
    let width = gradients.iter().map(|gradient| gradient.outputs).sum();
    let mut at = 0;
    let mut lefts = Vec::with_capacity(gradients.len());
    for WeightGradient { to, outputs, add } in gradients {
        let a = Matrix::columns(dy.from(at), width);
        at += outputs;
        if let Some(to) = to {
            lefts.push(Left {
                rows: outputs,
                a,
                to,
                add,
            });
        }
    }
    gemm_packed_each(context, lefts, packed);
}
