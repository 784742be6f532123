import { test_family } from './driver';

test_family('stacking');
