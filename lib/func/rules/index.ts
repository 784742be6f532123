// The batching rules, each family's in a file of its own. What has none goes sample by sample.
import './indexing';
import './join';
import './matmul';
import './neural';
import './pointwise';
import './random';
import './reduce';
import './shape';
