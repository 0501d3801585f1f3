/** Where verbs find the SPIFFE Workload API of an agent. */

const flag = {
  type: "string",
  valueName: "SOCKET",
  help: "socket of an agent: unix:///PATH, or an absolute path",
} as const;

interface OptionalFlag {
  readonly "workload-api": typeof flag & { readonly notes: readonly string[] };
}

interface RequiredFlag {
  readonly "workload-api": typeof flag & { readonly required: true; readonly env: string };
}

/** The verb itself decides when the variable counts. */
export const workloadApiFlag: OptionalFlag = {
  "workload-api": { ...flag, notes: ["or SPIFFE_ENDPOINT_SOCKET"] },
};

export const requiredWorkloadApiFlag: RequiredFlag = {
  "workload-api": { ...flag, required: true, env: "SPIFFE_ENDPOINT_SOCKET" },
};
