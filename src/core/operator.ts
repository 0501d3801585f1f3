/** What an operator may say with a command. No control characters, no line ends, nothing that turns the direction of writing. */

/** Short enough for the log. */
export const reasonPattern: RegExp = /^[^\p{C}\p{Zl}\p{Zp}]{1,200}$/u;
/** A name, or none: the empty one is the server's own in the log. */
export const operatorPattern: RegExp = /^[^\p{C}\p{Zl}\p{Zp}]{0,60}$/u;
