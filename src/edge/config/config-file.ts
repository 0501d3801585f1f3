/**
 * `--config FILE`: YAML that says the same as the flags, as a source of settings, and `identities`,
 * which no flag can say. The schema is read off the table of settings; a key that is not in the table
 * is an error, never ignored. Loaded only when a file is given.
 */

import { basename } from "node:path";

import { z } from "zod";

import { ConfigError } from "./config-error.ts";
import type { IdentityConfig } from "./identity-config.ts";
import { identitiesSchema, identityKeys, parseIdentities } from "./identity-schema.ts";
import { didYouMean } from "./nearest-match.ts";
import { readBoundedFile } from "./private-files.ts";
import { serverSettings } from "./server-settings.ts";
import type { SettingDescription, SettingSource } from "./setting.ts";
import { parseYaml } from "./yaml.ts";

export interface ConfigFile extends SettingSource {
  /** No flag says the same. */
  readonly identities: IdentityConfig;
}

/** @throws ConfigError, PrivateFileError */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  const bytes = await readBoundedFile(path, FILE_BYTES_MAX);
  return parseConfigFile(basename(path), Buffer.from(bytes).toString("utf8"));
}

/** @param name the file's name in errors */
export function parseConfigFile(name: string, text: string): ConfigFile {
  const result = fileSchema().safeParse(parseText(name, text));
  if (!result.success) throw configError(name, result.error);
  const values = new Map<string, readonly string[]>();
  for (const { key } of serverSettings()) {
    const value = key.split(".").reduce<unknown>(childOf, result.data);
    if (value !== undefined) values.set(key, [value].flat().map(String));
  }
  const identities = identitiesSchema.parse(result.data["identities"] ?? {});
  return {
    values,
    locate: ({ key }) => `${name}: ${key}`,
    identities: parseIdentities(identities, `${name}: identities`),
  };
}

const FILE_BYTES_MAX = 65_536;

function parseText(name: string, text: string): unknown {
  try {
    // An empty file sets nothing.
    return parseYaml(text) ?? {};
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ConfigError("config-malformed", name, error.message, { cause: error });
  }
}

function fileSchema(): z.ZodType<Record<string, unknown>> {
  const shape = sectionShape(serverSettings(), 0);
  return z.strictObject({ ...shape, identities: identitiesSchema.optional() });
}

/** @param depth how many words of their keys have led to this section */
function sectionShape(
  settings: readonly SettingDescription[],
  depth: number,
): Readonly<Record<string, z.ZodType>> {
  const words = (setting: SettingDescription): readonly string[] => setting.key.split(".");
  const members = Map.groupBy(settings, (setting) => words(setting)[depth] ?? "");
  return Object.fromEntries(
    [...members].map(([word, within]) => {
      const [first] = within;
      const isField = first !== undefined && words(first).length === depth + 1;
      const section = (): z.ZodType => z.strictObject(sectionShape(within, depth + 1)).optional();
      return [word, isField ? fieldSchema(first) : section()];
    }),
  );
}

function fieldSchema({ multiple, valueName }: SettingDescription): z.ZodType {
  if (multiple) return z.array(z.string()).optional();
  if (valueName === "BOOL") return z.boolean().optional();
  if (valueName === "RATE") return z.union([z.number(), z.string()]).optional();
  return valueName === "N" ? z.int().optional() : z.string().optional();
}

function configError(name: string, { issues }: z.ZodError): ConfigError {
  const [issue] = issues;
  if (issue?.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    const parent = issue.path.map((word) => `${String(word)}.`).join("");
    const siblings = serverSettings().flatMap((setting) => {
      return setting.key.startsWith(parent) ? setting.key.slice(parent.length).split(".", 1) : [];
    });
    const near = didYouMean(key, [...siblings, ...identityKeys(parent)]);
    return new ConfigError("config-unknown-key", `${name}: ${parent}${key}`, `unknown key${near}`);
  }
  const path = issue?.path.map(String).join(".") ?? "";
  const place = path === "" ? name : `${name}: ${path}`;
  const reason = issue?.message.replace(/^Invalid input: /, "") ?? "invalid";
  return new ConfigError("config-invalid-value", place, reason);
}

function childOf(parent: unknown, word: string): unknown {
  return typeof parent === "object" && parent !== null ? Reflect.get(parent, word) : undefined;
}
