/** What was asked for, in words. */
export const briefOf = ({ inputs }: { readonly inputs: Readonly<Record<string, unknown>> }): string =>
  typeof inputs["message"] === "string" && inputs["message"].trim() ? inputs["message"] : JSON.stringify(inputs);
