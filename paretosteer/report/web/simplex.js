// Preferences: weights that are at least 0 and sum to 1.

function normalised(weights) {
  const positive = weights.map((weight) => Math.max(weight, 0));
  const sum = positive.reduce((total, weight) => total + weight, 0);
  return positive.map((weight) => (sum > 0 ? weight / sum : 1 / weights.length));
}

// One weight set, the others keeping their proportions.
function withWeight(mu, objective, weight) {
  const own = Math.min(Math.max(weight, 0), 1);
  const rest = 1 - mu[objective];
  return mu.map((each, i) => {
    if (i === objective) return own;
    return rest > 1e-9 ? ((1 - own) * each) / rest : (1 - own) / (mu.length - 1);
  });
}

function nearest(preferences, mu, places = preferences.keys()) {
  const distance = (place) =>
    preferences[place].reduce((sum, weight, i) => sum + (weight - mu[i]) ** 2, 0);
  let best = null;
  for (const place of places) {
    if (best === null || distance(place) < distance(best) - 1e-12) best = place;
  }
  return best;
}

function inWords(names, mu) {
  return names.map((name, i) => `${name} ${percent(mu[i])}`).join(", ");
}

// Preferences with weight on two objectives only, from one to the other; a line may join them.
function edge(preferences, [i, j]) {
  return [...preferences.keys()]
    .filter((place) => preferences[place].every((w, n) => n === i || n === j || w < 1e-9))
    .sort((a, b) => preferences[a][i] - preferences[b][i]);
}

function pairsOf(count) {
  const pairs = [];
  for (let i = 0; i < count; i++) for (let j = i + 1; j < count; j++) pairs.push([i, j]);
  return pairs;
}
