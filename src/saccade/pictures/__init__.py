"""From one photo to names: detect, align, crop, judge the quality, embed, find; and painting."""
