/** Elements by their names, always with text and never with markup. */

/**
 * An element with text or other elements in it.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} name
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} content
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...content);
  return made;
}

/**
 * A button.
 *
 * @param {string} text
 * @param {() => void} press
 */
export function button(text, press) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", press);
  return made;
}

/**
 * A button that is on or off.
 *
 * @param {string} text
 * @param {(isOn: boolean) => void} turn
 */
export function toggle(text, turn) {
  const made = button(text, () => {
    const isOn = made.getAttribute("aria-pressed") !== "true";
    made.setAttribute("aria-pressed", String(isOn));
    turn(isOn);
  });
  made.setAttribute("aria-pressed", "false");
  return made;
}
