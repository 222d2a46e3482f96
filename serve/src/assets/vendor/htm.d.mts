// The part of htm that the pages use.

/** Functions that read HTML and describe it with `h`. */
declare const htm: {
  bind<T>(h: unknown): (strings: TemplateStringsArray, ...values: unknown[]) => T;
};
export default htm;
