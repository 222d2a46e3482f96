// The part of preact that the pages use.

/** Description of an element or a component. */
export interface VNode { readonly type: unknown }
export type Child = VNode | string | number | false | null | undefined | Child[];

/** Describes an element, or a component with its properties. */
export function h<P>(component: (props: P) => VNode, props: P & { key?: string | number }): VNode;
export function h(element: string, props: Record<string, unknown> | null, ...children: Child[]): VNode;

/** Makes the content of an element like the description. */
export function render(node: VNode, parent: Element): void;
