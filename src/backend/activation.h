// The activations of feed-forward blocks. Included by kernels, which are compiled once per instruction set;
// so it uses nothing of the standard library.
#pragma once

namespace kvsplit {

enum class Activation : unsigned char {
    kSilu,           // x / (1 + e^-x)
    kGelu,           // x Phi(x), by the error function
    kGeluTanh,       // its tanh approximation
    kRelu,           // max(x, 0)
    kReluSquared,    // max(x, 0)^2
    kSigmoid,        // 1 / (1 + e^-x)
    kNone,           // x
    kSoftplus,       // log(1 + e^x)
    kSwigluClamped,  // only gated: (up + 1) gate sigmoid(1.702 gate), gate cut to <= 7, |up| to <= 7
};
inline constexpr int kActivations = 9;

// An activation with learned parameters (xIELU, arXiv:2411.13010): alpha_p x^2 + beta x for x > 0, else
// alpha_n (e^min(x, eps) - 1 - x) + beta x.
struct Xielu {
    float alpha_p, alpha_n, beta, eps;
};

}  // namespace kvsplit
