declare module 'node-gyp-build' {
  /** Loads the addon that belongs to the package in `dir`; throws where none fits. */
  function load(dir: string): unknown;
  export = load;
}
