// The activations of feed-forward blocks. Kernels are compiled for each instruction set on its own, so this
// header uses nothing of the standard library.
#pragma once

namespace kvsplit {

enum class Activation : unsigned char {
    kSilu,           // x / (1 + e^-x)
    kGelu,           // x Phi(x), by the error function
    kGeluTanh,       // the tanh form of it
    kRelu,           // max(x, 0)
    kReluSquared,    // max(x, 0)^2
    kSigmoid,        // 1 / (1 + e^-x)
    kNone,           // x
    kSoftplus,       // log(1 + e^x)
    kSwigluClamped,  // gates alone, (up + 1) gate sigmoid(1.702 gate) of gate <= 7 and |up| <= 7
};
inline constexpr int kActivations = 9;

// An activation with numbers that are learned (xIELU, arXiv:2411.13010):
// alpha_p x^2 + beta x of x > 0, else alpha_n (e^min(x, eps) - 1 - x) + beta x.
struct Xielu {
    float alpha_p, alpha_n, beta, eps;
};

}  // namespace kvsplit
