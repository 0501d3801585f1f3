/** What a rotation of roots is told before it begins: its pace, and whom it cannot see. */

import { PortcullisError } from "../../core/error.ts";
import { list, positiveInteger, scalar, type Setting } from "./setting.ts";

interface RotationSettings {
  readonly reissuePerSecond: Setting<number>;
  readonly unobserved: Setting<readonly string[]>;
}

export const ROTATION_SETTINGS: RotationSettings = {
  reissuePerSecond: {
    ...scalar(positiveInteger),
    key: "rotation.reissuePerSecond",
    flag: "reissue-per-second",
    valueName: "N",
    help: "how many certificates of another authority are asked to be renewed each second",
    defaults: ["25"],
    reloadable: true,
  },
  unobserved: {
    ...list(readerClass),
    key: "rotation.unobserved",
    flag: "unobserved",
    valueName: "CLASS",
    help: "who reads the roots where nobody sees it, as files or configmap; a rotation waits for a waiver of each",
    defaults: [],
    reloadable: true,
  },
};

/** A name that the operator gives to some who read the roots. */
function readerClass(text: string): string {
  if (/^[a-z][a-z0-9-]{0,62}$/.test(text)) return text;
  const message = `expected lower-case letters, digits and -, got ${JSON.stringify(text)}`;
  throw new PortcullisError("config-invalid-value", message);
}
