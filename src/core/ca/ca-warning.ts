/** What an operator should know of a CA that is taken all the same. */

export type CaWarningCode =
  | "ca-crl-sign-missing"
  | "ca-expires-soon"
  | "ca-subject-key-id-missing"
  | "ca-name-constraints"
  | "ca-root-not-in-date"
  | "ca-root-unused"
  | "ca-crl-missing-of-root"
  | "ca-key-file-open";

export interface CaWarning {
  readonly code: CaWarningCode;
  readonly file: string;
  /** Lower case, without the file. */
  readonly message: string;
  /** Of a root that these files do not sign under: DER. */
  readonly otherRoot?: Uint8Array;
}
