// Views in the graph.
#pragma once
#include "graph.h"

namespace sconce {

// Throws PyTorch's text when `view` came about in a way that forbids writing it, or (`indirect`) that forbids
// its base or a sibling to be written, while gradients are recorded.
void check_view(const Tensor& view, bool indirect);
// After an in-place write to a base (or a sibling view) the history of a view is that of the base, seen
// through as_strided: replaces the view's grad_fn when the shared version counter moved on.
void refresh_view_history(const Tensor& view);
// Gives `self`, just written in place, the history `fn`; through CopySlices of the base when `self` is a
// view.
void rebase_history(const Tensor& self, const Ref<Node>& fn, uint32_t output_nr);

}  // namespace sconce
