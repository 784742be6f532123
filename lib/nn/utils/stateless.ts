/** `torch.nn.utils.stateless`: the older place of `torch.func.functional_call`. */
export { functional_call } from '../../func/modules';
