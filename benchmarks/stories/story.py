"""Stories of the benchmark: an opening, followed by four to six sentences from a grammar.

The rules let every objective move both ways: a persistent mood, happy and sad words that may be
repeated ("happy, happy, happy", "cried and cried"), lists of many different things, quoted speech,
and long and short sentences.
"""

import math
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np

from paretosteer.benchmarks.stories.grammar import Grammar
from paretosteer.benchmarks.stories.openings import Prompt, prompts, splits
from paretosteer.benchmarks.stories.words import join_words, split_words

STORY_VERSION = "1"
END = "[eos]"

# `did:end` may continue after its object and `did:stop` may not, which bounds sentence length.
RULES = """
after_comma: <clause> <sentence> <sentence> <sentence> <more>
after_subject: <did:end> <sentence> <sentence> <sentence> <more>
after_stop: <sentence> <sentence> <sentence> <sentence> <more>
more: [eos] | 3 <sentence> <last>
last: [eos] | 2 <sentence> [eos]

sentence: 12 {They} <did:end> | 5 {name} <did:end> | 4 {Their} <kin> <did:stop>
    | 3 The <animal> <did:stop> | 6 “ <speech> | 3 Then <clause> | 3 It was <it>
    | 2 There were <list> <stop> | Everyone <did:stop>
clause: 6 {they} <did:end> | 2 {name} <did:end> | {their} <kin> <did:stop>
    | the <animal> <did:stop>
end: 5 . | ! | 4 and <did:stop> | 2 with <who> <stop> | 2 <where> <stop>
stop: 9 . | !

did:*: 7 was <was> | 2 felt <feel> | 4 went <to> <*> | 3 saw <things> <*> | 3 found <things> <*>
    | 2 made <things> <*> | wanted <want> <*> | took <things> <*> | sat <where> <*>
    | 2 + loved <loved> <*> | + shared <things> <*> | - lost <belonging> <*>
    | - broke <belonging> <*> | 2 + hugged <who> <*> | + helped <who> <*> | - hurt <who> <*>
    | - hated <loved> <*> | + laughed~again | + smiled~again | + played~again
    | 2 - cried~again | - screamed~again | jumped~again | ran~again | danced~again
    | - fought~again | looked <where> <*> | ate <food> <*> | had <things> <*>

was: 5 + <glad> | 5 - <sad> | 2 <calm> <stop> | 3 very <very> | so <very> | <where> <stop>
feel: 3 + <glad> | 3 - <sad> | <calm> <stop> | very <very>
very: 2 + <glad> | 2 - <sad> | 2 very <very_very>
very_very: 2 + <glad> | 2 - <sad> | very <very_very_very>
very_very_very: + <glad> | - <sad>
glad: 6 happy~same | 2 glad~same | 2 proud~same | 2 excited~same | brave~same | kind~same
    | lucky~same | cheerful~same | joyful~same | good~same
sad: 5 sad~same | 3 scared~same | 2 angry~same | upset~same | lonely~same | mad~same
    | tired~same | bad~same | sick~same | worried~same | alone~same
calm: quiet | busy | hungry | sleepy | thirsty | cold | wet | early | late | surprised
same:*: 8 . | 2 ! | 4 , * <same_still:*> | and * <stop> | <where> <stop>
same_still:*: 3 , * <stop> | and * <stop>
again:*: 4 . | ! | 3 and * <again_still:*> | <where> <stop> | with <who> <stop>
again_still:*: 2 . | 2 and * <stop>

to: 5 to <place> | home | outside | out | back | away
where: 2 in <place> | near <place> | under <place> | behind <place> | by <place>
place: 4 the <spot> | {their} <own_spot>
spot: 3 park | 3 garden | 2 forest | 2 river | 2 house | lake | hill | beach | farm | shop | school
    | village | town | road | bridge | field | cave | barn | kitchen | pond
own_spot: 3 room | 2 bed | house | garden | school
who: 3 {their} <kin> | 2 the <animal> | everyone
kin: 5 mom | 3 dad | 3 friend | 2 brother | 2 sister | grandma | grandpa | teacher
animal: 3 dog | 3 cat | 2 bird | 2 rabbit | 2 bear | 2 frog | 2 duck | fox | mouse | horse | cow
    | pig | sheep | goat | owl | turtle | squirrel | monkey | lion | bee

things: 8 a <thing> | 2 some <food> | 2 two <plural> | 2 many <plural> | <list>
thing: 3 <object> | 2 <size> <coloured> | 3 <colour> <object>
coloured: 3 <object> | <colour> <object>
size: 4 big | 4 little | small | long | round | new | plain | tiny | soft | shiny | heavy | strange
colour: 3 red | 3 blue | 2 green | 2 yellow | white | black | brown | pink | silver | purple
object: 4 ball | 3 toy | 2 box | 2 book | 2 hat | 2 tree | 2 flower | car | boat | kite | doll | cup
    | chair | table | door | bag | stick | rock | leaf | shoe | coat | drum | bell | key | ladder
    | basket | blanket | bottle | button | candle | feather | rope | shell | spoon | train | truck
    | wagon | wheel | ring | map
belonging: {their} <owned> | the <object>
owned: 2 <object> | 3 <colour> <object> | new <object>
list: all kinds of <plural> , <plural> , <plural> and <plural> | <plural> , <plural> and <plural>
plural: 2 flowers | 2 trees | 2 birds | toys | balls | books | rocks | leaves | fish | ducks | boats
    | stars | clouds | shells | boxes | cars | hats | cups | sticks | apples | berries | nuts | bees
    | frogs | ants | bugs | horses | cows | sheep | stones | bells | drums | kites | chairs | bags
food: 2 cake | 2 bread | 2 milk | soup | cheese | fruit | honey | jam | corn | rice | pie | salt
    | water | juice | meat
loved: 4 {their} <kin> | 2 the <animal> | 2 <food> | <plural>
want: 4 to <act> | 2 <things>
act: + play | go <to> | see <things> | find <things> | eat <food> | sleep | help <who> | run | climb
    | swim | read | draw | sing | build <things> | - cry | - fight

speech: 5 I <i> | 3 Look <at> | 2 + Thank you ! ” <said> | 2 - No <no> | 2 + Yes <yes>
    | 3 Where is my <object> ? ” <asked> | 2 Let us <act> ! ” <said>
    | What a <what> <day_or_thing> ! ” <said> | 2 - Go away ! ” <said> | - Stop ! ” <said>
    | Come <to> ! ” <said> | 2 Can we <act> ? ” <asked> | + Please <act> ! ” <said>
i: 3 am <i_am> | 2 + love <love> <quoted> | - hate <love> <quoted> | 2 want <want> <quoted>
    | 2 see <things> <quoted> | have <things> <quoted> | - lost my <object> <quoted>
    | can <act> <quoted>
i_am: 3 very <very_quoted> | 3 + <glad_word> <quoted> | 3 - <sad_word> <quoted> | <calm> <quoted>
    | so <very_quoted>
very_quoted: + <glad_word> <quoted> | - <sad_word> <quoted> | very <very_still>
very_still: + <glad_word> <quoted> | - <sad_word> <quoted>
glad_word: 4 happy | 2 glad | proud | excited | lucky
sad_word: 4 sad | 2 scared | angry | sorry | lost | sick | tired
love: 3 you | 2 my <kin> | the <animal> | <food>
at: 5 at <shown> <quoted> | ! ” <said>
shown: 3 the <animal> | 2 my <object>
no: , no <no_still> | 2 ! ” <said>
no_still: , no ! ” <said> | ! ” <said>
yes: , yes <yes_still> | 2 ! ” <said>
yes_still: , yes ! ” <said> | ! ” <said>
what: 3 + <fine> | 3 - <nasty> | <size>
fine: 3 nice | 2 wonderful | 2 beautiful | great | lovely
nasty: 2 terrible | 2 horrible | nasty
day_or_thing: 2 day | <object>
quoted: 3 . ” <said> | 2 ! ” <said>
said: 3 said <speaker> . | 2 {they} said . | {name} said .
asked: 3 asked <speaker> . | 2 {they} asked .
speaker: 3 {name} | 3 the <animal> | 2 {their} <kin>

it: 4 a <day> | 2 <weather> <stop> | 2 very <weather> <stop> | time <time> <stop> | in <place> .
day: 3 + <fine> <day_or_thing> <stop> | 2 - <nasty> <day_or_thing> <stop>
    | 2 + good <day_or_thing> <stop> | 2 - bad <day_or_thing> <stop> | <size> <object> <stop>
    | 3 <dull> day <stop>
dull: windy | rainy | sunny | cloudy | warm | cold | hot
weather: dark | cold | hot | wet | late | loud | quiet | - scary | + fun | + sweet
time: to <act> | for <food>
"""

GRAMMAR = Grammar(RULES)


@dataclass(frozen=True)
class Story:
    """A complete story."""

    words: list[str]  # with the end marker
    log_probability: float  # exact, in nats

    @property
    def text(self) -> str:
        """Text of the story, without the end marker."""
        return join_words(self.words[:-1])


def sample_story(generator: np.random.Generator) -> Story:
    """Sample an opening uniformly from the train split and continue it with the grammar."""
    openings = prompts("train")
    opening = openings[generator.integers(len(openings))]
    words, log_probability = GRAMMAR.sample(opening.then, opening.slots, generator)
    # No opening is a prefix of another, so the split into opening and continuation is unique and
    # the log-probabilities add up.
    return Story([*_opening_words(opening), *words], log_probability - math.log(len(openings)))


@dataclass(frozen=True)
class Entropy:
    """Exact entropy and expected length of the stories."""

    nats_per_story: float
    words_per_story: float  # with the end marker

    @property
    def nats_per_word(self) -> float:
        """Lower bound on a model's cross-entropy per token."""
        return self.nats_per_story / self.words_per_story


@cache
def story_entropy() -> Entropy:
    """Entropy of `sample_story`: entropy of the opening plus that of the continuation given it."""
    openings = prompts("train")
    nats, words = math.log(len(openings)), 0.0
    for symbol, count in Counter(opening.then for opening in openings).items():
        moments = GRAMMAR.moments(symbol)
        nats += count / len(openings) * moments.entropy
        words += count / len(openings) * moments.length
    words += sum(len(_opening_words(opening)) for opening in openings) / len(openings)
    return Entropy(nats, words)


@cache
def vocabulary() -> tuple[str, ...]:
    """Sorted words of the grammar and of all prompts, without the end marker."""
    every = chain(*splits().values())
    filled = {word for p in every for word in (*_opening_words(p), *p.slots.values())}
    plain = {word for word in GRAMMAR.terminals() if not word.startswith("{")}
    return tuple(sorted((filled | plain) - {END}))


@cache
def _opening_words(opening: Prompt) -> tuple[str, ...]:
    return tuple(split_words(opening.text))
