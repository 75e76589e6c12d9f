/** Lists that come by pages: the newest first, older ones when somebody asks. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useRef } from "preact/hooks";
import { wordsOf, type Page } from "./api";

export interface Paged<T> {
  /** null before the first answer. */
  readonly all: readonly T[] | null;
  readonly hasMore: boolean;
  readonly loading: boolean;
  readonly problem: string;
  /** From the top; what is shown stays until the answer is there. */
  readonly reload: () => void;
  /** The same, to be waited for: what is newest is shown then, or why it is not. */
  readonly renew: () => Promise<void>;
  readonly more: () => void;
}

/** A list that comes at once, as a page that nothing follows. */
export const whole = async <T,>(items: Promise<readonly T[]>): Promise<Page<T>> => ({ items: await items, next: null });

/** `load` answers for the cursor of the page before, "" for the first. A newer question outdates older answers. */
export function usePages<T>(load: (cursor: string) => Promise<Page<T>>): Paged<T> {
  const all = useSignal<readonly T[] | null>(null);
  const next = useSignal<string | null>(null);
  const loading = useSignal(false);
  const problem = useSignal("");
  const newest = useRef(Promise.resolve());
  const ask = (cursor: string): Promise<void> => {
    loading.value = true;
    const mine: Promise<void> = load(cursor).then(
      (page) => {
        if (mine !== newest.current) return newest.current;
        all.value = cursor ? [...(all.peek() ?? []), ...page.items] : page.items;
        next.value = page.next;
        problem.value = "";
        loading.value = false;
      },
      (error: unknown) => {
        if (mine !== newest.current) return newest.current;
        problem.value = wordsOf(error);
        loading.value = false;
      },
    );
    newest.current = mine;
    return mine;
  };
  return {
    all: all.value,
    hasMore: next.value !== null,
    loading: loading.value,
    problem: problem.value,
    reload: () => void ask(""),
    renew: () => ask(""),
    more: () => {
      const cursor = next.peek();
      if (cursor !== null && !loading.peek()) void ask(cursor);
    },
  };
}

interface Props<T> {
  readonly of: Paged<T>;
  /** What they are, for "Loading …". */
  readonly what: string;
  readonly more: string;
  readonly empty: string;
  readonly children: (all: readonly T[]) => ComponentChildren;
}

export function Pages<T>({ of, what, more, empty, children }: Props<T>): JSX.Element {
  return (
    <>
      {of.problem ? (
        <p class="problem" role="alert">
          {of.problem}{" "}
          <button type="button" class="link-button" onClick={of.reload}>
            Try again
          </button>
        </p>
      ) : null}
      {of.all === null && !of.problem ? <p class="soft">{`Loading ${what}…`}</p> : null}
      {of.all?.length === 0 ? <p class="soft">{empty}</p> : null}
      {of.all?.length ? children(of.all) : null}
      {of.hasMore ? (
        <button type="button" class="button button-small" aria-disabled={of.loading} onClick={of.more}>
          {more}
        </button>
      ) : null}
    </>
  );
}
