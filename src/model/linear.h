// Matrices with biases, and norms.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"

namespace kvsplit {

// A norm's parameters. A null gain stands for ones, a null bias for zeros.
struct NormWeights {
    std::unique_ptr<Buffer> gain, bias;  // (dim)
};

// A matrix with its bias, if the file has one. In some files (NVFP4) each tensor also has a scale, which
// multiplies the outputs of its rows.
struct Linear {
    std::unique_ptr<WeightMatrix> matrix;
    std::unique_ptr<Buffer> bias;   // (matrix->rows()) or null
    std::vector<PartScale> scales;  // together cover all rows; or empty

    // out (n, rows) = scale * x (n, cols) w^T + bias
    void multiply(Backend& backend, const float* x, int n, float* out) const {
        backend.matmul(*matrix, x, n, out, false);
        if (!scales.empty()) backend.scale_parts(scales, n, matrix->rows(), out);
        if (bias) backend.add_bias(bias->data(), n, matrix->rows(), out);
    }
};

}  // namespace kvsplit
