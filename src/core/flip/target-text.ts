/** How a target is written: `NAMESPACE/NAME[:PORT]`, `NAMESPACE`, and `NAMESPACE/KIND/NAME[:PORT]` where a name alone says too little. */

import { FlipError } from "./flip-error.ts";

/** In the order in which a name is looked for. */
const targetKinds = ["peerauthentication", "serviceentry", "service", "workloadentry"] as const;

export type TargetKind = (typeof targetKinds)[number];

export interface TargetText {
  readonly namespace: string;
  /** Undefined: any. */
  readonly kind: TargetKind | undefined;
  /** "" for all of the namespace. */
  readonly name: string;
  /** Undefined: all. */
  readonly port: number | undefined;
}

/** RFC 1123, as Kubernetes has names. */
const label = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";
const pattern = new RegExp(
  `^(${label})(?:/(?:(${targetKinds.join("|")})/)?(${label}(?:\\.${label})*)(?::(\\d{1,5}))?)?$`,
);
const lengthMax = 400;
const hint =
  "write NAMESPACE/NAME, NAMESPACE/NAME:PORT or NAMESPACE, as in shop/api, shop/api:8080, shop; the port is the workload's own";

/** @throws FlipError `target-invalid` */
export function parseTargetText(text: string): TargetText {
  const [whole, namespace = "", kind, name = "", port] =
    text.length > lengthMax ? [] : (pattern.exec(text) ?? []);
  const number = port === undefined ? undefined : Number(port);
  const isPort = number === undefined || (number >= 1 && number <= 65_535);
  if (whole === undefined || !isPort || name.length > 253) {
    const got = JSON.stringify(text.slice(0, 80));
    throw new FlipError("target-invalid", `expected a target, got ${got}`, { hint });
  }
  return { namespace, kind: targetKinds.find((each) => each === kind), name, port: number };
}

/** As it is read again. */
export function formatTargetText({ namespace, kind, name, port }: TargetText): string {
  if (name === "") return namespace;
  const place = kind === undefined ? namespace : `${namespace}/${kind}`;
  return port === undefined ? `${place}/${name}` : `${place}/${name}:${port}`;
}
