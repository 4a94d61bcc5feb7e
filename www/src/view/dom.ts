export const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T

export function setText(node: HTMLElement, text: string) {
  if (node.textContent !== text) node.textContent = text
}

export function make<K extends keyof HTMLElementTagNameMap>(tag: K, className = '', ...children: (Node | string)[]) {
  const made = document.createElement(tag)
  if (className) made.className = className
  made.append(...children)
  return made
}

export function button(text: string, act: () => void, className = '') {
  const made = make('button', className, text)
  made.type = 'button'
  made.onclick = act
  return made
}

export const plural = (n: number, one: string, many = `${one}s`) =>
  `${new Intl.NumberFormat('en').format(n)} ${n === 1 ? one : many}`
