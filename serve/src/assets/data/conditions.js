// Conditions as text: `psnr:10..<12,split:train|"a, b"`. The server tests them; here, they are only exchanged.

/**
 * Splits a text at a character that is outside of quotes.
 * @param {string} text
 * @param {string} separator
 */
export function split(text, separator) {
  const parts = [""];
  let inside = false;
  for (const found of text) {
    if (found === '"') inside = !inside;
    if (found === separator && !inside) parts.push("");
    else parts[parts.length - 1] += found;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** Returns the text as a part of a condition, in quotes if it needs them. @param {string} text */
export function quoted(text) {
  return /[,:|&*"]|^\s|\s$|^$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Removes spaces that have no meaning. @param {string} where */
export function tidy(where) {
  return split(where, ",").map((part) => {
    const [column = "", ...rest] = split(part, ":");
    return rest.length > 0 ? `${column}:${split(rest.join(":"), "|").join("|")}` : part;
  }).join(",");
}

/**
 * Returns the condition on a column, e.g. `10..<12`; an empty text if there is none.
 * @param {string} where
 * @param {string} column the name as it is written in conditions
 */
export function conditionOn(where, column) {
  const found = split(where, ",").find((part) => part.startsWith(`${column}:`));
  return found ? found.slice(column.length + 1).trim() : "";
}

/**
 * Returns the conditions with another one on a column, or with none if `condition` is empty.
 * @param {string} where
 * @param {string} column
 * @param {string} condition
 */
export function withCondition(where, column, condition) {
  const others = split(where, ",").filter((part) => !part.startsWith(`${column}:`));
  return (condition ? [...others, `${column}:${condition}`] : others).join(",");
}

/**
 * Adds an alternative to a condition, or removes it.
 * @param {string} condition
 * @param {string} alternative
 */
export function toggled(condition, alternative) {
  const parts = split(condition, "|");
  const others = parts.filter((part) => part !== alternative);
  return (others.length < parts.length ? others : [...parts, alternative]).join("|");
}
