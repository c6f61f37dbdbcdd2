"""The 61 words of Du-IN's task (Zheng et al., 2024), Mandarin and English."""

from __future__ import annotations

from collections.abc import Mapping

_PAIRS = """
嘴巴 mouth, 菠萝 pineapple, 帮助 help, 把 get, 朋友 friend, 脸盆 washbasin, 平静 calm,
漂亮 pretty, 衣服 clothes, 豆腐 tofu, 米饭 rice, 放在 put on, 面条 noodle, 毛巾 towel,
关门 close the door, 电脑 computer, 凳子 stool, 小刀 knife, 头疼 headache, 软糖 gummies,
醋 vinegar, 青菜 vegetables, 厕所 toilet, 葱花 chopped green onion, 手机 cell phone,
篮球 basketball, 钢琴 piano, 心情 mood, 丝瓜 loofah, 蒜泥 garlic paste, 怎样 how, 香肠 sausage,
需要 need, 你 you, 拿 hold, 橙汁 orange juice, 找 look for, 猪肉 pork, 吃 eat, 穿 wear, 是 be,
家人 family, 热水 hot water, 护士 nurse, 换药 change dressing, 喝 drink, 口渴 thirsty, 看 look,
碗 bowl, 鱼块 steak, 感觉 feel, 给 give, 玩 play, 问题 problem, 外卖 takeouts, 有 have,
音乐 music, 预约 reserve, 汤圆 sweet dumpling, 愿意 willing, 我 I
"""
#: Word in Mandarin -> in English.
WORDS: Mapping[str, str] = {
    mandarin: english
    for mandarin, _, english in (
        pair.strip().partition(" ") for pair in _PAIRS.replace("\n", " ").split(",")
    )
}
_SPELLINGS = {english.lower(): mandarin for mandarin, english in WORDS.items()}


def word_of(label: str) -> str | None:
    """Return the Mandarin word that a label means in either language; None for no word of the task.

    >>> word_of("Cell phone") == word_of("手机"), word_of("piano concerto")
    (True, None)
    """
    text = label.strip()
    return text if text in WORDS else _SPELLINGS.get(text.lower().replace("_", " "))
