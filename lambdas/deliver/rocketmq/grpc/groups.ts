import type { Outcome } from '../../sink.ts';
import type { Message } from '../remoting/message.ts';

/**
 * What may be under way at once: each message without a group by itself, and of each group one after the other, in their
 * order. Behind a message that is still owed, the rest of its group is left.
 *
 * @param send Sends the message at this place. @returns an outcome for each message, `unsent` where it was left.
 */
export async function sendInGroups(
  messages: readonly Message[],
  send: (place: number) => Promise<Outcome>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = messages.map(() => ({ status: 'unsent' }));
  const sendInTurn = async (places: readonly number[]) => {
    for (const place of places) {
      const outcome = await send(place);
      outcomes[place] = outcome;
      if (outcome.status !== 'delivered' && outcome.status !== 'never') return;
    }
  };
  await Promise.all(placesByGroup(messages).map(sendInTurn));
  return outcomes;
}

function placesByGroup(messages: readonly Message[]): number[][] {
  const groups = new Map<string | number, number[]>();
  messages.forEach(({ group }, place) => {
    const key = group ?? place;
    const places = groups.get(key);
    if (places === undefined) groups.set(key, [place]);
    else places.push(place);
  });
  return [...groups.values()];
}
