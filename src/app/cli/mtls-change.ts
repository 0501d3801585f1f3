/** The object that a flip, its revert or `mtls permissive` changes: as it is and as it is to be, as YAML, and line by line. */

import { formatYaml } from "../../edge/config/yaml.ts";
import type { Manifest } from "../../edge/resources/manifest.ts";
import { readObject } from "../../edge/rpc/resource-client.ts";
import type { JsonValue } from "./output.ts";
import { resourceWords } from "./resource-kind.ts";
import { unifiedDiff } from "./resource-line-diff.ts";
import { printable } from "./text.ts";

export interface ObjectChange {
  /** As kubectl names it. */
  readonly words: string;
  /** created, configured, deleted, unchanged */
  readonly action: string;
  /** Null where there is none. */
  readonly before: Manifest | null;
  readonly after: Manifest | null;
  /** "" where nothing differs. */
  readonly diff: string;
}

/** Manifests, JSON; "" for none. */
export interface ChangeJson {
  readonly beforeJson: string;
  readonly afterJson: string;
}

/** @returns undefined where the answer has no object. @throws ResourcesRefusedError for one that cannot be read here */
export function objectChange({ beforeJson, afterJson }: ChangeJson): ObjectChange | undefined {
  const [before, after] = [beforeJson, afterJson].map((json) =>
    json === "" ? undefined : readObject(json, ""),
  );
  const object = after ?? before;
  if (object === undefined) return undefined;
  const diff = unifiedDiff(yamlOf(before?.manifest), yamlOf(after?.manifest));
  return {
    words: resourceWords(object.object.object.ref),
    action: actionOf(before, after, diff),
    before: before?.manifest ?? null,
    after: after?.manifest ?? null,
    diff,
  };
}

function actionOf(before: unknown, after: unknown, diff: string): string {
  if (after === undefined) return "deleted";
  if (before === undefined) return "created";
  return diff === "" ? "unchanged" : "configured";
}

/** Whether it was made, is yet to be written by the server, would be, or is somebody else's to make. */
export type ChangeMood = "made" | "ordered" | "would-be" | "to-commit";

/** `kubectl diff`'s form, below what becomes of the object. */
export function changeText(change: ObjectChange, mood: ChangeMood): string {
  const { words, before, after, diff } = change;
  const said = `${words} ${actionText(change, mood)}\n`;
  const lines = diff.split("\n").map(printable).join("\n");
  const [old, now] = [before, after].map((each) => (each === null ? "nothing" : words));
  return diff === "" ? said : `${said}--- ${old}\n+++ ${now}\n${lines}`;
}

function actionText({ action }: ObjectChange, mood: ChangeMood): string {
  if (mood === "made" || action === "unchanged") return action;
  if (mood === "would-be") return `would be ${action}`;
  if (mood === "ordered") return `is to be ${action}: the server has not written it yet`;
  const how = action === "deleted" ? "delete the file that has it, and commit that; " : "";
  return `is to be ${action}: ${how}nothing is written here`;
}

export function changeValue({ action, before, after, diff }: ObjectChange): JsonValue {
  return { action, before, after, diff };
}

/** What is to be committed; "" for an object that is to go. */
export function changedYaml({ after }: ObjectChange): string {
  if (after === null) return "";
  // When it was created is the cluster's to say.
  const { creationTimestamp: _, ...metadata } = after.metadata;
  return yamlOf({ ...after, metadata });
}

function yamlOf(manifest: Manifest | undefined): string {
  return manifest === undefined ? "" : formatYaml(manifest);
}
