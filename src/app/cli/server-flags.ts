/**
 * The server's settings as flags of a verb: what they mean and what they default to is known to
 * `edge/config`.
 */

import { serverSettings } from "../../edge/config/server-settings.ts";
import type { Flag } from "./command.ts";

type SettingFlag = Extract<Flag, { valueName: string }> & {
  readonly type: "string";
  readonly multiple: boolean;
};

/**
 * Without defaults of their own, so that a flag that was not given does not hide the configuration
 * file.
 *
 * @param only the flags that the verb has. @default all
 */
export function serverFlags(only?: readonly string[]): Readonly<Record<string, SettingFlag>> {
  const settings = serverSettings().filter(({ flag }) => only?.includes(flag) ?? true);
  const flags = settings.map((setting): [string, SettingFlag] => {
    const { flag, key, valueName, help, defaults, multiple, choices } = setting;
    const notes = [
      ...(defaults?.length ? [`default ${defaults.join(", ")}`] : []),
      `in the file ${key}`,
    ];
    return [
      flag,
      { type: "string", valueName, help, notes, multiple, ...(choices && { choices }) },
    ];
  });
  return Object.fromEntries(flags);
}
