// The batching rules, each family's in a file of its own. What has none goes sample by sample.
import './pointwise';
import './reduce';
import './shape';
